"""A project with one of everything, for requests that are made up; filled from inside."""

from contextlib import suppress
from typing import Any


def fill() -> dict[str, str]:
    """What stands in addresses of it, and the token of an admin key."""
    from flags.services import create_flag, set_enabled
    from portal.access import services
    from portal.approvals.errors import Waiting
    from portal.approvals.models import ChangeRequest
    from portal.approvals.services import set_policy
    from portal.lib import journal
    from portal.lib.journal import Intent

    by: dict[str, Any] = {"intent": Intent(journal.system("tests"))}
    project = services.create_project(key="fuzz", name="Fuzz", **by)
    place: dict[str, Any] = {"environment": project.environments.get(key="production")}
    variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
    document = {"key": "a-flag", "value_type": "boolean", "variants": variants}
    flag = create_flag(project=project, document=document, **by)
    set_policy(document={"required_approvals": 1}, **place, **by)
    with suppress(Waiting):
        set_enabled(flag=flag, enabled=True, **place, **by)
    rights = ["environment.configure", "member.manage", "key.manage"]
    key = services.issue_key(**place, **by, kind="admin", name="Fuzz", rights=rights)
    other = services.issue_key(**place, **by, kind="server", name="Fuzz")
    services.create_group(project=project, key="crew", name="Crew", **by)
    number = ChangeRequest.objects.get(project=project).pk
    return {"token": str(key.token), "selector": other.key.selector, "number": str(number)}
