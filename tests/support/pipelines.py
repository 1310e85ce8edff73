"""What a pipeline releases into, made inside an installation: a project of its own."""

from typing import Any

from portal.access import services
from portal.access.models import Environment, Project, User
from portal.access.services import create_project
from portal.approvals import services as approvals
from portal.approvals.models import ChangeRequest
from portal.approvals.policies.services import set_policy
from portal.lib import journal
from portal.lib.journal import Intent
from releases.catalogue import services as catalogue
from tests.support.people import acting, create_person, give_role
from tests.support.seeded_releases import routed_service


def prepare(project: str, service: str, probe: str) -> list[str]:
    """A project with a service in production that is probed; the tokens of the key that releases it
    and of the one that posts evidence."""
    by: dict[str, Any] = {"intent": Intent(journal.system("tests"))}
    made = create_project(key=project, name=project, **by)
    routed_service(project, service, "production")
    found = catalogue.put_service(project=made, key=service, name=service, owners=[], **by)
    check = {"key": "health", "kind": "http", "threshold": 1, "period_s": 1, "url": probe}
    router = {"kind": "flag", "flag": f"{service}-route", "variants": ["blue", "green"]}
    place = made.environments.get(key="production")
    catalogue.put_setup(
        service=found, environment=place, document={"router": router, "checks": [check]}, **by
    )
    admin = User.objects.get(username="admin")
    return [
        str(services.issue_key(environment=place, kind="admin", name=name, **more, **by).token)
        for name, more in (
            ("Pipeline", {"owner": admin}),
            ("Evidence", {"evidence": ["unit_tests"]}),
        )
    ]


def want_approval(project: str) -> None:
    """From now on production wants one approval, by somebody, and the unit tests passed."""
    place = _production(project)
    give_role(place.project, create_person(f"approver-of-{project}"), "senior_developer")
    document = {"required_approvals": 1, "evidence": {"unit_tests": "artefacts"}}
    set_policy(environment=place, document=document, intent=Intent(journal.system("tests")))


def decide(project: str, verdict: str) -> str:
    """Their vote on the request that is open; returns its state then. Empty while none is."""
    request = ChangeRequest.objects.filter(project__key=project, state="open").first()
    if request is None:
        return ""
    approvals.cast_vote(
        request=request,
        verdict=verdict,
        seen_digest=request.digest,
        comment="because",
        intent=Intent(acting(User.objects.get(username=f"approver-of-{project}"))),
    )
    request.refresh_from_db()
    return str(request.state)


def _production(project: str) -> Environment:
    return Project.objects.get(key=project).environments.get(key="production")
