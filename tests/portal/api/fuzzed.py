"""A project with one of everything, for requests that are made up; filled from inside."""

from contextlib import suppress
from typing import Any


def fill() -> dict[str, str]:
    """What stands in addresses of it, and the token of an admin key."""
    from flags.core.configurations import set_enabled
    from flags.core.definitions import create_flag
    from portal.access import services
    from portal.approvals.errors import Waiting
    from portal.approvals.models import ChangeRequest
    from portal.approvals.policies.services import set_policy
    from portal.lib import journal
    from portal.lib.journal import Intent

    by: dict[str, Any] = {"intent": Intent(journal.system("tests"))}
    project = services.create_project(key="fuzz", name="Fuzz", **by)
    place: dict[str, Any] = {"environment": project.environments.get(key="production")}
    variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
    document = {"key": "a-flag", "value_type": "boolean", "variants": variants}
    flag = create_flag(project=project, document=document, **by)
    release = _release(**place, **by)
    set_policy(document={"required_approvals": 1}, **place, **by)
    with suppress(Waiting):
        set_enabled(flag=flag, enabled=True, **place, **by)
    rights = ["environment.configure", "member.manage", "key.manage"]
    key = services.issue_key(**place, **by, kind="admin", name="Fuzz", rights=rights)
    other = services.issue_key(**place, **by, kind="server", name="Fuzz")
    services.create_group(project=project, key="crew", name="Crew", **by)
    number = ChangeRequest.objects.get(project=project).pk
    return {
        "token": str(key.token),
        "selector": other.key.selector,
        "number": str(number),
        "release": str(release),
    }


def _release(environment: Any, intent: Any) -> int:
    """One that is over, so that who waits for it need not wait; and a plan that is kept."""
    from releases.catalogue.services import put_service, put_setup
    from releases.core import commands, planning
    from releases.engine.plans import Strategy, usual_plan
    from releases.policies.services import put_policy
    from releases.policies.templates import put_template

    by: dict[str, Any] = {"project": environment.project, "intent": intent}
    service = put_service(key="checkout", name="Checkout", owners=[], **by)
    document = {"router": {"kind": "manual"}}
    put_setup(service=service, environment=environment, document=document, intent=intent)
    plan = usual_plan(Strategy.CANARY).document
    put_template(key="careful", name="Careful", plan=plan, **by)
    checks = [{"key": "errors", "kind": "error_rate", "threshold": 5}]
    put_policy(key="strict", document={"name": "Strict", "checks": checks}, **by)
    wanted = {
        "service": service.key,
        "artefact": {"version": "1", "digest": "sha256:" + "1" * 64},
        "strategy": "canary",
    }
    planned = planning.plan_release(environment=environment, document=wanted, **by)
    return int(commands.abort(release=planned, intent=intent).pk)
