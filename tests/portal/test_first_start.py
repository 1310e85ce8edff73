"""What every start says of the administrator, and what it does not wait for."""

import subprocess
import sys
from pathlib import Path

import pytest

from portal.access.models import User
from portal.supervisor import first_start
from portal.supervisor.processes import Addresses
from tests.support import settings_env

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]
ADDRESSES = Addresses("127.0.0.1", 8000, 8080)


@pytest.fixture
def var(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installation without demo data."""
    folder = settings_env.temporary_folder()
    monkeypatch.setenv("AVIARY_VAR", str(folder))
    monkeypatch.setenv("AVIARY_DEMO", "0")
    return folder


def test_greeting__admin_password_changed_meanwhile__does_not_print_the_old_one(var: Path) -> None:
    greeting = first_start.prepare_database(ADDRESSES)
    password = (var / "admin-password").read_text().strip()
    assert f"sign in as admin, password {password}\n" in greeting
    assert first_start.prepare_database(ADDRESSES) == greeting
    admin = User.objects.get(username="admin")
    admin.set_password("my-own-words")
    admin.save()
    greeting = first_start.prepare_database(ADDRESSES)
    assert "sign in as admin, password (as you set it)\n" in greeting
    assert password not in greeting


def test_process__without_pages_and_api__loads_nothing_of_them() -> None:
    """Each of these takes a tenth of a second or more, in five processes of every start."""
    program = "import sys, django; django.setup(); print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=settings_env.ROOT,
        env=settings_env.for_tests(settings_env.temporary_folder())
        | {"DJANGO_SETTINGS_MODULE": "portal.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.splitlines())
    assert "flags.core.definitions" in loaded
    heavy = {"portal.urls", "rest_framework.response", "jsonschema", "requests", "fido2"}
    assert not heavy & loaded
