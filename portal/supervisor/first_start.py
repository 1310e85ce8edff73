import contextlib
import os
from pathlib import Path

import django
from django.core.management import call_command
from django.db import DatabaseError

from portal.lib import env
from portal.lib.env import SettingError
from portal.lib.journal import Intent
from portal.supervisor import state
from portal.supervisor.processes import Addresses

ADMIN = "admin"


def prepare_database(addresses: Addresses) -> str:
    """Migrate, create what is missing, and return what to print once the servers answer.

    Raises SettingError when the database does not answer or cannot be written.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    try:
        call_command("migrate", verbosity=0, interactive=False)
        password = _administrator()
        token = _demo()
        _publish()
        _anchor()
    except DatabaseError as error:
        raise SettingError(f"the database cannot be used: {error}") from None
    return _greeting(addresses, password, token)


def _administrator() -> str:
    """Create the first administrator; how to sign in, for the greeting."""
    from portal.access import services
    from portal.access.models import User
    from portal.access.tokens import new_password
    from portal.lib import journal

    path = env.var_dir() / "admin-password"
    admin = User.objects.filter(username=ADMIN).first()
    if admin is None and User.objects.filter(is_superuser=True).exists():
        return "(as you set it)"
    password = state.remember_secret(path, new_password()) if admin is None else _kept(path)
    if admin is None:
        actor = journal.system("first start")
        services.create_user(
            username=ADMIN, password=password, intent=Intent(actor), is_superuser=True
        )
    elif not password or not admin.check_password(password):
        return "(as you set it)"
    return password


def _demo() -> str | None:
    """Create the demo project unless it is unwanted; the token of its server key."""
    if os.environ.get("AVIARY_DEMO", "1") == "0":
        return None
    from flags import demo
    from releases import demo as releases

    path = env.var_dir() / "demo-token"
    token = demo.ensure(_kept(path))
    releases.ensure()
    path.unlink(missing_ok=True)
    return state.remember_secret(path, token)


def _publish() -> None:
    """Fill Redis before anyone is told where to ask."""
    from redis import RedisError

    from flags.delivery import relay

    with contextlib.suppress(RedisError):  # the relay process goes on trying
        relay.sweep()


def _anchor() -> None:
    """Note where the audit trail stands, before anybody can change it."""
    from portal.audit import services
    from portal.lib import clock

    try:
        services.anchor_head(now=clock.now())
    except OSError as error:
        raise SettingError(
            f"cannot write the audit trail's anchors: {error}; set AUDIT_ANCHOR_FILE"
        ) from None


def _kept(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def _greeting(addresses: Addresses, password: str, token: str | None) -> str:
    evaluator = addresses.evaluator_url
    curl = f"curl {evaluator}/health"
    if token:
        curl = (
            f"curl -X POST {evaluator}/ofrep/v1/evaluate/flags/new-checkout "
            f"-H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' "
            """-d '{"context":{"targetingKey":"user-1","country":"DE"}}'"""
        )
    return "\n".join(
        [
            "",
            f"  Portal      {addresses.portal_url}   sign in as {ADMIN}, password {password}",
            f"  Evaluator   {evaluator}",
            "",
            "  Ask for a flag:",
            f"  {curl}",
            "",
            "  Ctrl-C stops everything; the data stays in var/.",
            "",
        ]
    )
