"""What an upgrade finds out about people, policies, evidence and requests of before."""

import importlib
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from portal.access import authority, services as access
from portal.access.models import Environment, Project, Sponsorship, User
from portal.approvals.changes import digest_of
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Evidence, Policy, State
from portal.approvals.policies import services as policy_services
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.journal import Intent, Trace
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.people import PASSWORD, SETTING_UP, acting

pytestmark = pytest.mark.postgresql
before = importlib.import_module("portal.approvals.migrations.0006_people_of_before")


def told() -> set[tuple[object, ...]]:
    rows = Sponsorship.objects.values_list(
        "sponsor__username", "person__username", "kind", "project", "environment", "name"
    )
    return set(rows)


def test_who_gave_whom_what__is_found_in_the_history_and_the_invitations(
    shop: Project, alice: User, bob: User, dana: User, production: Environment
) -> None:
    now = clock.now()
    issued = access.issue_key(
        environment=production,
        kind="admin",
        name="Pipeline",
        rights=["member.manage"],
        intent=Intent(acting(alice), at=now),
    )
    key = authority.key_actor(issued.key, Trace())
    common: dict[str, Any] = {"project": shop}
    access.add_member(username="late", role="qa", intent=Intent(acting(alice)), **common)
    access.grant_role(to=dana, role="viewer", environment=production, intent=Intent(key), **common)
    crew = access.create_group(key="crew", name="Crew", intent=Intent(SETTING_UP), **common)
    access.add_to_group(group=crew, user=dana, intent=Intent(acting(alice)))
    access.grant_role(to=crew, role="qa", intent=Intent(acting(alice)), **common)
    access.change_password(user=bob, password="another-horse", intent=Intent(acting(alice)))
    sent = access.create_invitation(role="viewer", intent=Intent(acting(alice)), **common)
    access.join_by_invitation(
        token=str(sent.token), username="guest", password=PASSWORD, trace=Trace(), now=now
    )
    expected = told()
    assert len(expected) == 8
    Sponsorship.objects.all().delete()
    before.find_sponsorships(apps, connection.schema_editor())
    assert told() == expected


def test_policies__count_from_their_first_row_of_the_history(
    shop: Project, production: Environment, guarded: Environment
) -> None:
    set_policy(guarded, **TWO_ROLES, turning_off_needs_approval=True)
    Environment.objects.update(governed_since=None)
    before.find_first_policies(apps, connection.schema_editor())
    first = AuditEvent.objects.filter(event="policy.set").earliest("sequence")
    found = dict(Environment.objects.filter(project=shop).values_list("key", "governed_since"))
    assert found == {"development": None, "staging": None, "production": first.at}


def test_an_open_request_about_a_policy__keeps_its_votes_and_can_be_applied(
    guarded: Environment, alice: User, erin: User, frank: User
) -> None:
    """It did not know of the new field when it was asked for."""
    with pytest.raises(Waiting) as error:
        policy_services.set_policy(
            environment=guarded, document={"required_approvals": 1}, intent=Intent(acting(alice))
        )
    request = waiting(error)
    for document in (request.before, request.after):
        del document["independence_days"]
    request.digest = digest_of(
        kind=request.kind,
        project="shop",
        environments=["production"],
        subject=request.subject,
        base_version=request.base_version,
        before=request.before,
        after=request.after,
    )
    request.save()
    vote(request, erin)
    before.complete_requests(apps, connection.schema_editor())
    assert vote(request, frank).request.state == State.APPLIED
    assert Policy.objects.get(environment=guarded).required_approvals == 1
    assert ChangeRequest.objects.get().after["independence_days"] == 30


def test_evidence__is_of_the_key_that_its_label_names(production: Environment) -> None:
    key = access.issue_key(
        environment=production, kind="admin", name="Scan (a)", intent=Intent(SETTING_UP)
    ).key
    moment = clock.now() + timedelta(days=1)
    for label in (f"Scan (a) ({key.selector})", "somebody"):
        Evidence.objects.create(
            project=production.project,
            digest="sha256:0",
            kind="scan",
            result="passed",
            posted_by=label,
            posted_at=moment,
            expires_at=moment,
        )
    before.find_keys_of_evidence(apps, connection.schema_editor())
    assert [row.posted_with for row in Evidence.objects.order_by("pk")] == [key, None]
