"""What the first start and every later one say of the administrator."""

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
