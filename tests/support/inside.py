"""Things done inside an installation, by a process that stays: Django takes seconds to start.

``Stack.inside`` names a function of any module and its arguments, and gets what it returns.
"""

import json
import os
import sys
import traceback
from importlib import import_module
from typing import Any


def create_admin_key(project: str) -> str:
    """A project, and the token of an admin key of its production."""
    from portal.access import services
    from portal.lib import journal
    from portal.lib.journal import Intent

    by: dict[str, Any] = {"intent": Intent(journal.system("tests"))}
    made = services.create_project(key=project, name=project, **by)
    production = made.environments.get(key="production")
    return str(services.issue_key(environment=production, kind="admin", name="Key", **by).token)


def create_flag(project: str, key: str, on: list[str]) -> None:
    """A boolean flag with the variants on and off, by the administrator; where it is on."""
    from flags.core import configurations, definitions
    from portal.access import authority
    from portal.access.models import Project, User
    from portal.lib.journal import Intent, Trace

    actor = authority.user_actor(User.objects.get(username="admin"), Trace())
    by: dict[str, Any] = {"intent": Intent(actor)}
    within = Project.objects.get(key=project)
    variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
    document = {"key": key, "kind": "release", "value_type": "boolean", "variants": variants}
    flag = definitions.create_flag(project=within, document=document, **by)
    for environment in within.environments.filter(key__in=on):
        configurations.set_enabled(flag=flag, environment=environment, enabled=True, **by)


def forget_proofs(name: str) -> None:
    """As if somebody had signed in long ago."""
    from allauth.usersessions.models import UserSession
    from django.contrib.sessions.backends.db import SessionStore

    for row in UserSession.objects.filter(user__username=name):
        session = SessionStore(row.session_key)
        session.pop("account_authentication_methods", None)
        session.save()


def _answer(line: str) -> str:
    from django.db import close_old_connections

    module, name, arguments = json.loads(line)
    try:
        returned = getattr(import_module(module), name)(**arguments)
    except Exception:
        return json.dumps([None, traceback.format_exc()])
    finally:
        close_old_connections()
    return json.dumps([returned, ""])


def main() -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    django.setup()
    # What is printed on the way is for people.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(_answer(line), file=answers, flush=True)


if __name__ == "__main__":
    main()
