"""The access page: who may do what where, and why."""

from datetime import datetime

import pytest
from django.test import Client
from hypothesis import given, settings, strategies as st
from hypothesis.extra.django import TestCase

from portal.access import authority, overview, services
from portal.access.models import ActionRule, Environment, Group, Project, User
from portal.access.overview import WHOLE_PROJECT
from portal.access.permissions import BUILTIN_ROLES, READS, RESERVABLE, Permission
from portal.access.web.matrix import MEANINGS
from portal.approvals import services as approvals
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.journal import Intent
from tests.support.people import SETTING_UP, client_of, create_person, give_role

RULE = "/p/shop/access/production/release.deploy"


def reserve(place: Environment, permission: str, *names: str) -> None:
    approvals.reserve(
        environment=place, permission=permission, names=names, intent=Intent(SETTING_UP)
    )


def test_the_matrix__has_deploying_and_rolling_back_apart_and_first(shop: Project) -> None:
    lines = overview.matrix_of(shop)
    assert [line.permission for line in lines[:2]] == ["release.deploy", "release.rollback"]
    assert {line.permission for line in lines} == RESERVABLE
    deploy, rollback = (line.cells[2].names for line in lines[:2])
    assert "on-call engineer" in rollback
    assert "on-call engineer" not in deploy


def test_the_matrix__a_reserved_cell__names_exactly_whom_it_is_reserved_for(
    shop: Project, production: Environment
) -> None:
    reserve(production, "release.deploy", "devops")
    development, _staging, reserved = overview.matrix_of(shop)[0].cells
    assert (reserved.names, reserved.reserved, reserved.people) == (["DevOps"], True, 0)
    assert not development.reserved
    assert development.people == 1  # alice


def test_alice__reserves_and_opens_again__and_each_edit_is_recorded(
    alice_client: Client, shop: Project, production: Environment
) -> None:
    fields = {"reserved": "1", "names": ["devops", "devops_lead"]}
    assert alice_client.post(RULE, fields).status_code == 200
    assert ActionRule.objects.get().roles == ["devops", "devops_lead"]
    dialog = alice_client.get(RULE).content.decode()
    assert 'value="devops_lead" checked' in dialog
    assert alice_client.post(RULE, {"reserved": "0"}).status_code == 200
    assert not ActionRule.objects.exists()
    events = AuditEvent.objects.filter(event="rule.changed", environment="production")
    assert [(e.subject, bool(e.before), bool(e.after)) for e in events] == [
        ("release.deploy", True, False),
        ("release.deploy", False, True),
    ]


@pytest.mark.parametrize("names", [[], ["no-such-role"]])
def test_reserving_for_nobody_or_for_unknown_names__is_refused(
    alice_client: Client, shop: Project, names: list[str]
) -> None:
    refused = alice_client.post(RULE, {"reserved": "1", "names": names})
    assert refused.status_code == 422
    assert b'role="alert"' in refused.content
    assert not ActionRule.objects.exists()


@pytest.mark.parametrize("permission", ["member.manage", "flag.view", "nonsense"])
def test_what_is_not_about_an_environment__has_no_rule(
    alice_client: Client, shop: Project, permission: str
) -> None:
    address = f"/p/shop/access/production/{permission}"
    assert alice_client.get(address).status_code == 404
    assert alice_client.post(address, {"reserved": "1", "names": ["devops"]}).status_code == 404


def test_who_configures_one_environment__changes_its_rules_and_no_other(
    shop: Project, staging: Environment
) -> None:
    erin = create_person("erin")
    give_role(shop, erin, "devops_lead", staging)
    browser = client_of(erin)
    fields = {"reserved": "1", "names": ["devops"]}
    assert browser.post("/p/shop/access/staging/release.deploy", fields).status_code == 200
    assert browser.post(RULE, fields).status_code == 403
    page = browser.get("/p/shop/access/").content.decode()
    assert 'hx-get="/p/shop/access/staging/release.deploy"' in page
    assert 'hx-get="/p/shop/access/production/release.deploy"' not in page
    assert 'disabled aria-describedby="rule-why"' in page


def explained(user: User, project: Project, place: Environment) -> dict[str, tuple[bool, str]]:
    found = overview.explain(user, project, place)
    return {str(one.permission): (one.held, "; ".join(one.reasons)) for one in found}


def test_why__dana__through_a_group_in_one_environment(
    shop: Project, production: Environment, staging: Environment, dana: User, now: datetime
) -> None:
    shift = services.create_group(
        project=shop, key="night-shift", name="Night shift", intent=Intent(SETTING_UP, at=now)
    )
    give_role(shop, shift, "on_call_engineer", production)
    services.add_to_group(group=shift, user=dana, intent=Intent(SETTING_UP))
    why = explained(dana, shop, production)
    assert why["release.rollback"] == (
        True,
        "on-call engineer · Production, through group Night shift",
    )
    assert why["flag.edit"] == (True, "developer · all environments")
    assert why["release.deploy"] == (False, "")
    assert explained(dana, shop, staging)["release.rollback"] == (False, "")


def test_why__dana__what_is_reserved_for_others(
    shop: Project, production: Environment, dana: User, alice: User
) -> None:
    reserve(production, "flag.edit", "devops", "project_admin")
    assert explained(dana, shop, production)["flag.edit"] == (
        False,
        "reserved for DevOps, project admin",
    )
    assert explained(alice, shop, production)["flag.edit"] == (
        True,
        "reserved for: project admin · all environments",
    )


def test_why__a_role_in_one_environment__does_not_manage_members(
    shop: Project, production: Environment
) -> None:
    erin = create_person("erin")
    give_role(shop, erin, "project_admin", production)
    assert explained(erin, shop, production)["member.manage"] == (
        False,
        "only in some environments; this takes all of them",
    )


@pytest.mark.parametrize("account", ["site administrator", "the account is deactivated"])
def test_why__an_account_that_decides_by_itself__is_said(
    shop: Project, production: Environment, dana: User, account: str
) -> None:
    dana.is_superuser = account == "site administrator"
    dana.is_active = dana.is_superuser
    found = set(explained(dana, shop, production).values())
    assert found == {(dana.is_superuser, account)}


def test_the_person_page__shows_yes_no_and_why(bob_client: Client, shop: Project) -> None:
    page = bob_client.get("/p/shop/access/person?person=dana&environment=production")
    text = page.content.decode()
    assert "What dana may do in Production" in text
    assert "developer · all environments" in text
    for query in ("person=charlie", "person=dana&environment=moon"):
        assert bob_client.get(f"/p/shop/access/person?{query}").status_code == 404


def test_every_permission_has_a_meaning_once() -> None:
    explained_ones = [one for _title, lines in MEANINGS for one, _text in lines]
    assert sorted(explained_ones) == sorted(Permission)


ROLES = st.sampled_from(sorted(BUILTIN_ROLES))
PLACES = st.sampled_from([None, 0, 1, 2])


class WhatIsExplainedIsWhatIsHeld(TestCase):
    """The page says what services decide, whatever was given and reserved."""

    @settings(max_examples=15)
    @given(
        direct=st.sets(st.tuples(ROLES, PLACES), max_size=2),
        grouped=st.sets(st.tuples(ROLES, PLACES), max_size=2),
        rules=st.dictionaries(
            st.tuples(st.integers(0, 2), st.sampled_from(sorted(RESERVABLE))),
            st.sets(st.one_of(ROLES, st.just("crew")), min_size=1, max_size=2),
            max_size=3,
        ),
    )
    def test_they_agree(
        self,
        direct: set[tuple[str, int | None]],
        grouped: set[tuple[str, int | None]],
        rules: dict[tuple[int, str], set[str]],
    ) -> None:
        now = clock.now()
        project = services.create_project(key="shop", name="S", intent=Intent(SETTING_UP, at=now))
        places = list(project.environments.all())
        erin = create_person("erin")
        crew: Group = services.create_group(
            project=project, key="crew", name="Crew", intent=Intent(SETTING_UP, at=now)
        )
        services.add_to_group(group=crew, user=erin, intent=Intent(SETTING_UP))
        for to, roles in ((erin, direct), (crew, grouped)):
            for role, index in roles:
                give_role(project, to, role, None if index is None else places[index])
        for (index, permission), names in rules.items():
            reserve(places[index], permission, *names)
        for place in places:
            for one in overview.explain(erin, project, place):
                scope = None if one.permission in WHOLE_PROJECT | READS else place
                wanted = authority.permissions_of_user(erin, project, scope)
                assert one.held == (one.permission in wanted), one
                assert one.reasons or not one.held
