"""Releases that start by themselves, at a time that people named: asked again then."""

from datetime import timedelta
from typing import Any

import pytest

from flags.core import definitions
from flags.models import Flag
from flags.segments import services as segment_services
from portal.access.models import Environment, Grant, User
from portal.approvals.errors import Waiting
from portal.approvals.freezes.services import lift_line, stop_line
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from releases.catalogue.models import Service
from releases.core import commands
from releases.core.models import Release
from releases.core.planning import plan_release
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.people import acting, give_role
from tests.support.releasing import (
    PLAN,
    a_release,
    a_service,
    a_setup,
    fresh,
    routed_by_flag,
    routing,
    tick,
    to_everybody,
)

pytestmark = pytest.mark.django_db


def tomorrow() -> str:
    return (clock.database_now() + timedelta(days=1)).isoformat()


def its_time_comes(release: Release) -> Release:
    """As if it were tomorrow; what was agreed to stays as it is."""
    return tick(release)


@pytest.fixture
def service(development: Environment) -> Service:
    return routed_by_flag(development, checks=())


def test_one_for_later__waits_while_another_moves_there(
    service: Service, development: Environment, alice: User
) -> None:
    later = a_release(service, development, alice, not_before=tomorrow())
    other = a_release(service, development, alice, version="3.0")
    waits = its_time_comes(later)
    assert waits.state == "planned"
    assert waits.problem.startswith(f"Release {other.pk}, checkout 3.0, moves there now.")
    commands.rollback(release=other, intent=Intent(acting(alice)))
    assert its_time_comes(later).state == "running"


def test_one_for_later__takes_nothing_back_from_what_succeeded_meanwhile(
    service: Service, development: Environment, alice: User
) -> None:
    later = a_release(service, development, alice, not_before=tomorrow())
    other = to_everybody(a_release(service, development, alice, version="3.0"), alice)
    assert other.state == "succeeded"
    assert its_time_comes(later).problem.startswith("The flag checkout-route was changed since")
    assert routing(other) == {"variant": "green"}


def test_one_for_later__takes_nothing_away_before_its_time(
    service: Service, development: Environment, alice: User
) -> None:
    first = to_everybody(a_release(service, development, alice), alice)
    a_release(service, development, alice, version="3.0", not_before=tomorrow())
    assert fresh(first).is_watched(clock.database_now())
    second = a_release(service, development, alice, version="4.0")
    third = a_release(
        service, development, alice, version="5.0", not_before=tomorrow(), start=False
    )
    commands.start(release=third, intent=Intent(acting(alice)), supersede=True)
    assert fresh(second).state == "running"


def test_a_service_and_the_flag_that_routes_it__never_move_at_once(
    service: Service, development: Environment, alice: User
) -> None:
    document = {
        "flag": Flag.objects.get(key="checkout-route").key,
        "variant": "green",
        "strategy": "feature_flag",
        "plan": PLAN,
        "not_before": tomorrow(),
    }
    intent = Intent(acting(alice))
    later = plan_release(
        project=service.project, environment=development, document=document, intent=intent
    )
    commands.start(release=later, intent=intent)
    other = a_release(service, development, alice)
    assert (its_time_comes(later).state, fresh(other).state) == ("planned", "running")


@pytest.mark.parametrize("router", [{"kind": "manual"}, {"kind": "webhook", "url": "http://a.b"}])
def test_a_stopped_line__keeps_one_for_later_whatever_routes_it(
    development: Environment, alice: User, router: dict[str, Any]
) -> None:
    service = a_service(development.project)
    a_setup(service, development, router=router)
    later = a_release(service, development, alice, not_before=tomorrow())
    stop_line(environment=development, intent=Intent(acting(alice), "the shop is down"))
    kept = its_time_comes(later)
    assert (kept.state, kept.wanted) == ("planned", {})
    assert "has stopped the line" in kept.problem
    lift_line(environment=development, intent=Intent(acting(alice), "it is up"))
    assert its_time_comes(later).state == "running"


def test_one_for_later__starts_as_it_was_agreed_to_by_the_roles_of_then(
    production: Environment, alice: User, erin: User, frank: User
) -> None:
    service = a_service(production.project)
    a_setup(service, production)
    set_policy(production, **TWO_ROLES)
    planned = a_release(service, production, alice, not_before=tomorrow(), start=False)
    with pytest.raises(Waiting) as error:
        commands.start(release=planned, intent=Intent(acting(alice)))
    request = waiting(error)
    for person in (erin, frank):
        vote(request, person)
    Grant.objects.filter(user=frank).delete()
    waits = its_time_comes(planned)
    assert (waits.state, waits.wanted) == ("planned", {})
    give_role(production.project, frank, "devops_lead")
    assert its_time_comes(planned).state == "running"


def test_the_cohorts_of_one_that_is_agreed_to__are_not_changed_before_its_start_without_agreement(
    production: Environment, alice: User, erin: User, frank: User
) -> None:
    document = {"key": "staff"}
    staff = segment_services.create_segment(
        project=production.project, document=document, intent=Intent(acting(alice))
    )
    service = routed_by_flag(production, checks=())
    set_policy(production, **TWO_ROLES)
    plan = {**PLAN, "cohorts": ["staff"]}
    with pytest.raises(Waiting) as error:
        a_release(service, production, alice, plan=plan, not_before=tomorrow())
    for person in (erin, frank):
        vote(waiting(error), person)
    assert Release.objects.get().due_at is not None
    everybody = {"attribute": "targetingKey", "operator": "exists"}
    with pytest.raises(Waiting):
        segment_services.edit_segment(
            segment=staff,
            document={**document, "when": everybody},
            expected_version=staff.version,
            intent=Intent(acting(alice), "more of us"),
        )


@pytest.mark.parametrize("agreed", [True, False])
def test_what_the_flag_gives_by_one_that_is_asked_about_or_agreed_to__is_not_changed_without_it(
    production: Environment, alice: User, erin: User, frank: User, agreed: bool
) -> None:
    service = routed_by_flag(production, checks=())
    set_policy(production, **TWO_ROLES)
    with pytest.raises(Waiting) as error:
        a_release(service, production, alice, not_before=tomorrow())
    for person in (erin, frank) if agreed else ():
        vote(waiting(error), person)
    release = Release.objects.get()
    assert (release.due_at is not None) == agreed
    flag = Flag.objects.get(key="checkout-route")
    other = [{**one, "value": f"other {one['key']}"} for one in flag.variants]
    needs = f"Release {release.pk}, checkout 2.0, still needs baseline, blue, green as it is"
    with pytest.raises(Invalid if agreed else Waiting, match=needs if agreed else None):
        edit(flag, alice, variants=other)
    commands.abort(release=release, intent=Intent(acting(alice)))
    with pytest.raises(Waiting):
        edit(flag, alice, variants=other)


def edit(flag: Flag, person: User, **changes: Any) -> None:
    definitions.edit_flag(
        flag=flag,
        document={**flag.document, **changes},
        expected_version=flag.version,
        intent=Intent(acting(person), "elsewhere"),
    )
