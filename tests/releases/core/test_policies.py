"""Release policies: nobody goes round one, by whichever way a release is planned or changed."""

from datetime import timedelta
from typing import Any

import pytest

from flags.core import definitions
from flags.models import Flag
from flags.segments import services as segment_services
from portal.access.models import Environment, Project, User
from portal.approvals.errors import Waiting
from portal.approvals.models import State
from portal.approvals.services.restoring import restoration_of, restore
from portal.audit.models import AuditEvent
from portal.audit.states import find_drifts
from portal.lib import clock
from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.journal import Intent
from releases.catalogue.models import Service
from releases.core import commands, planning
from releases.core.models import Release
from releases.core.planning import preview
from releases.policies.models import ReleasePolicy
from releases.policies.services import delete_policy, put_policy
from releases.policies.templates import delete_template, put_template
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.people import SETTING_UP, acting, give_role
from tests.support.releasing import (
    DIGEST,
    ERRORS,
    PLAN,
    a_policy,
    a_release,
    a_setup,
    a_template,
    fresh,
    outcomes,
    routed_by_flag,
    tick,
)

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
STRICT = {"key": "errors", "kind": "error_rate", "threshold": 1}
SLOW = {"key": "slow", "kind": "latency", "threshold": 800}


@pytest.fixture
def service(production: Environment) -> Service:
    return routed_by_flag(production)


def planned(service: Service, place: Environment, person: User, **document: Any) -> Release:
    return a_release(service, place, person, start=False, **document)


def change(policy: ReleasePolicy, person: User, **fields: Any) -> ReleasePolicy:
    document = {**policy.document, **fields}
    return put_policy(
        project=policy.project,
        key=policy.key,
        document=document,
        intent=Intent(acting(person), "why"),
    )


def test_a_policy__attaches_its_checks_and_takes_a_release_back_by_them(
    service: Service, production: Environment, alice: User
) -> None:
    a_policy(production.project, checks=[STRICT, SLOW], services=["checkout"])
    own = {**ERRORS, "threshold": 90}
    release = a_release(service, production, alice, plan={**PLAN, "checks": [own]})
    found = {check["key"]: check["threshold"] for check in release.plan["checks"]}
    assert found == {"errors": 1, "slow": 800}
    assert release.origins == {"errors": "policy:guarded", "slow": "policy:guarded"}
    outcomes(release, 200, errors=6)
    assert tick(release).because["check"] == "errors"


def test_the_preview__says_which_policy_won_why_and_what_it_left_out(
    service: Service, production: Environment
) -> None:
    shop = production.project
    a_policy(shop, "usual", checks=[ERRORS, SLOW])
    a_policy(shop, "checkout", checks=[STRICT], services=["checkout"], environments=["production"])
    document = {
        "service": "checkout",
        "artefact": {"version": "2.0", "digest": DIGEST},
        "strategy": "canary",
    }
    seen = preview(project=shop, environment=production, document=document)
    assert [(check.key, origin) for check, origin in seen.checks] == [
        ("errors", "policy:checkout"),
        ("slow", "policy:usual"),
    ]
    assert [one.key for one in seen.draft.ruling.policies] == ["checkout", "usual"]
    (remark,) = seen.remarks
    assert "“checkout” gives the check errors, so the service's own is left out" in remark


def test_the_flag_of_a_service__is_under_its_policies_and_the_service_under_those_of_its_tags(
    service: Service, production: Environment, alice: User
) -> None:
    shop = production.project
    a_policy(shop, "of-service", checks=[SLOW], services=["checkout"])
    a_policy(shop, "of-tag", checks=[STRICT], tags=["payments"])
    flag = Flag.objects.get(key="checkout-route")
    Flag.objects.filter(pk=flag.pk).update(tags=["payments"])
    of_service = planned(service, production, alice)
    document = {"flag": flag.key, "variant": "green", "strategy": "feature_flag"}
    seen = preview(project=shop, environment=production, document=document)
    assert {*seen.draft.origins.values()} == {"policy:of-service", "policy:of-tag"}
    assert {*of_service.origins.values()} == {"policy:of-service", "policy:of-tag"}


def test_a_plan__that_would_only_warn_of_what_a_policy_watches__is_refused(
    service: Service, production: Environment, alice: User
) -> None:
    a_policy(production.project)
    for trouble in ("regression", "no_data", "error"):
        with pytest.raises(Invalid, match="choose more than a warning"):
            planned(service, production, alice, plan={**PLAN, "on": {trouble: "warn"}})
    planned(service, production, alice, plan={**PLAN, "on": {"deadline": "warn"}})


def test_a_required_template__is_used_as_it_is_or_the_plan_is_refused(
    service: Service, production: Environment, alice: User
) -> None:
    a_template(production.project)
    a_policy(production.project, templates=["careful"], environments=["production"])
    staff = {"key": "staff"}
    segment_services.create_segment(
        project=production.project, document=staff, intent=Intent(acting(alice))
    )
    with pytest.raises(Invalid, match=r"one of these templates.*: careful"):
        planned(service, production, alice)
    for less in ({"steps": [{"share": 100}]}, {"watch_s": 0}, {"cohorts": ["staff"]}):
        with pytest.raises(Invalid, match="one of these templates"):
            planned(service, production, alice, template="careful", plan=less)
    milder = {"checks": [{**ERRORS, "threshold": 90}]}  # than the service's own check of that key
    with pytest.raises(Invalid, match="one of these templates"):
        planned(service, production, alice, template="careful", plan=milder)
    planned(service, production, alice, template="careful", plan={"checks": [ERRORS]})
    more = planned(service, production, alice, template="careful", plan={"checks": [SLOW]})
    assert (more.template, more.plan["steps"][0]["share"]) == ("careful", 5)
    assert commands.start(release=more, intent=Intent(acting(alice))).state == "running"


def test_a_required_template__cannot_be_weakened_or_deleted_past_its_policy(
    production: Environment, alice: User
) -> None:
    template = a_template(production.project)
    policy = a_policy(production.project, templates=["careful"])
    weaker = {"strategy": "canary", "steps": [{"share": 100}]}
    by: dict[str, Any] = {"project": production.project, "key": "careful", "name": "Renamed"}
    intent = Intent(acting(alice))
    with pytest.raises(Invalid, match="requires this template as it is"):
        put_template(**by, plan=weaker, intent=intent)
    with pytest.raises(Invalid, match="requires this template as it is"):
        delete_template(template=template, intent=intent)
    put_template(**by, plan=template.plan, intent=intent)
    delete_policy(project=policy.project, key=policy.key, intent=intent)
    put_template(**by, plan=weaker, intent=intent)


def test_a_template_that_an_asked_for_policy_would_require__stays_as_those_see_it_who_are_asked(
    production: Environment, alice: User
) -> None:
    template = a_template(production.project)
    set_policy(production, **TWO_ROLES)
    intent = Intent(acting(alice), "why")
    with pytest.raises(Waiting):
        put_policy(
            project=production.project,
            key="new",
            document={"name": "New", "templates": ["careful"]},
            intent=intent,
        )
    with pytest.raises(Invalid, match="“New” requires this template as it is"):
        put_template(
            project=production.project,
            key="careful",
            name="careful",
            plan={"strategy": "canary", "steps": [{"share": 100}]},
            intent=intent,
        )
    with pytest.raises(Invalid, match="“New” requires this template as it is"):
        delete_template(template=template, intent=intent)


def test_a_policy_that_came_meanwhile__keeps_what_was_planned_from_starting_and_not_from_going_on(
    service: Service, production: Environment, alice: User
) -> None:
    running = a_release(service, production, alice, plan={**PLAN, "checks": [SLOW]})
    later = (clock.database_now() + timedelta(days=1)).isoformat()
    waits = a_release(service, production, alice, version="3.0", not_before=later)
    early = planned(service, production, alice, version="4.0")
    policy = a_policy(production.project, checks=[STRICT])
    assert fresh(tick(running)).state == "running"
    commands.rollback(release=running, intent=Intent(acting(alice)))
    with pytest.raises(Conflict, match=r"needs the check errors as defined now\. Plan it again\."):
        commands.start(release=early, intent=Intent(acting(alice)))
    held = tick(waits)
    assert held.state == "planned"
    assert held.problem.startswith("The release policy “guarded” needs the check errors")
    delete_policy(project=policy.project, key=policy.key, intent=Intent(acting(alice)))
    assert tick(waits).state == "running"


def test_a_change__of_any_kind__waits_for_those_who_guard_an_environment_of_the_policy(
    production: Environment, alice: User, erin: User, frank: User
) -> None:
    policy = a_policy(production.project, environments=["staging"])
    set_policy(production, **TWO_ROLES)
    with pytest.raises(Waiting):  # a new one, which could win over others
        put_policy(
            project=policy.project,
            key="new",
            document={"name": "New", "checks": [SLOW]},
            intent=Intent(acting(alice)),
        )
    with pytest.raises(Waiting) as error:
        change(policy, alice, environments=[])
    asked = waiting(error)
    assert ReleasePolicy.objects.get().environments == ["staging"]
    vote(asked, erin)
    vote(asked, frank)
    asked.refresh_from_db()
    assert (asked.state, ReleasePolicy.objects.get().environments) == (State.APPLIED, [])
    with pytest.raises(Waiting):
        change(policy, alice, environments=["staging"])
    with pytest.raises(Waiting) as error:
        delete_policy(project=policy.project, key=policy.key, intent=Intent(acting(alice)))
    gone = waiting(error)
    vote(gone, erin)
    vote(gone, frank)
    assert not ReleasePolicy.objects.exists()
    assert find_drifts() == []


def test_a_change__takes_the_right_in_each_environment_it_concerns(
    shop: Project, production: Environment, staging: Environment, charlie: User
) -> None:
    give_role(shop, charlie, "project_admin", staging)
    policy = a_policy(shop, environments=["staging"])
    change(policy, charlie, checks=[SLOW])
    with pytest.raises(Forbidden):
        change(policy, charlie, environments=["staging", "production"])
    with pytest.raises(Forbidden):
        change(policy, charlie, environments=[])
    everywhere = a_policy(shop, "everywhere")
    with pytest.raises(Forbidden):
        change(everywhere, charlie, environments=["staging"])
    with pytest.raises(Forbidden):
        delete_policy(project=shop, key="everywhere", intent=Intent(acting(charlie)))


def test_an_earlier_version__is_restored_and_a_deleted_policy_comes_back(
    production: Environment, alice: User
) -> None:
    policy = a_policy(production.project)
    change(policy, alice, checks=[SLOW])
    first = AuditEvent.objects.filter(event="release_policy.saved").earliest("sequence")
    for _turn in range(2):
        found = restoration_of(production.project, first)
        restore(found, seen_version=found.version, intent=Intent(acting(alice)))
        assert ReleasePolicy.objects.get().checks[0]["key"] == "errors"
        delete_policy(project=policy.project, key=policy.key, intent=Intent(acting(alice)))
    assert find_drifts() == []


def test_checks_of_service_and_policies__beyond_what_a_plan_may_have__keep_nobody_from_undoing(
    service: Service, production: Environment, alice: User
) -> None:
    many = [{**SLOW, "key": f"slow-{n}"} for n in range(30)]
    a_setup(service, production, router={"kind": "manual"}, checks=[ERRORS])
    with pytest.raises(Invalid, match="0 to 30"):
        planned(service, production, alice, plan={**PLAN, "checks": [*many, ERRORS]})
    a_setup(service, production, router={"kind": "manual"}, checks=many)
    a_policy(production.project, checks=[{**ERRORS, "key": f"errors-{n}"} for n in range(30)])
    running = tick(a_release(service, production, alice))
    assert len(running.parsed_plan.checks) == len(running.plan["checks"]) == 60
    commands.rollback(release=running, intent=Intent(acting(alice)))
    assert fresh(running).state == "rolling_back"


def test_a_flag__gains_a_tag__and_its_release_that_is_planned_meets_the_policy(
    production: Environment, alice: User, service: Service
) -> None:
    a_policy(production.project, checks=[STRICT], tags=["payments"])
    early = planned(service, production, alice)
    flag = Flag.objects.get(key="checkout-route")
    definitions.edit_flag(
        flag=flag,
        document={**flag.document, "tags": ["payments"]},
        expected_version=flag.version,
        intent=Intent(SETTING_UP),
    )
    with pytest.raises(Conflict, match="Plan it again"):
        commands.start(release=early, intent=Intent(acting(alice)))


def test_a_flag_by_which_the_last_release_of_a_service_went__stays_under_its_policies(
    service: Service, production: Environment, alice: User
) -> None:
    last = a_release(service, production, alice)
    commands.rollback(release=last, intent=Intent(acting(alice)))
    document = {"flag": "checkout-route", "variant": "green", "strategy": "feature_flag"}
    early = planning.plan_release(
        project=production.project,
        environment=production,
        document=document,
        intent=Intent(acting(alice)),
    )
    a_setup(service, production, router={"kind": "manual"})
    a_policy(production.project, checks=[STRICT], services=["checkout"])
    with pytest.raises(Conflict, match="needs the check errors"):
        commands.start(release=early, intent=Intent(acting(alice)))
    seen = preview(project=production.project, environment=production, document=document)
    assert seen.draft.origins == {"errors": "policy:guarded"}
    by_hand = a_release(service, production, alice, version="3.0", plan={**PLAN, "checks": []})
    seen = preview(project=production.project, environment=production, document=document)
    assert by_hand.state == "running"
    assert seen.draft.origins == {}  # nobody is routed by it any more


def test_a_release_that_is_planned__is_under_the_tags_of_the_flag_by_which_it_routes(
    service: Service, production: Environment, alice: User
) -> None:
    early = planned(service, production, alice)
    a_policy(production.project, checks=[STRICT], tags=["payments"])
    Flag.objects.filter(key="checkout-route").update(tags=["payments"])
    a_setup(service, production, router={"kind": "manual"})
    with pytest.raises(Conflict, match="needs the check errors"):
        commands.start(release=early, intent=Intent(acting(alice)))
