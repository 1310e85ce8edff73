"""Back to the version before, once the watch is over; and what scripts release no more."""

from datetime import timedelta
from typing import Any

import pytest

from flags.models import Flag
from portal.access import authority
from portal.access.models import Environment, User
from portal.access.services import issue_key
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Policy
from portal.lib import clock
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import Intent, Trace
from releases.catalogue.models import Service
from releases.core import commands, planning
from releases.core.models import Release
from tests.support.agreeing import set_policy
from tests.support.people import SETTING_UP, acting
from tests.support.releasing import (
    DIGEST,
    ERRORS,
    a_policy,
    a_release,
    a_service,
    a_setup,
    a_template,
    fresh,
    let_pass,
    outcomes,
    routed_by_flag,
    routing,
    tick,
    to_everybody,
)

pytestmark = pytest.mark.django_db
OTHER_DIGEST = "sha256:" + "b" * 64


@pytest.fixture
def service(development: Environment) -> Service:
    return routed_by_flag(development, checks=())


@pytest.fixture
def second(service: Service, development: Environment, alice: User) -> Release:
    """The second of two versions that succeeded, not watched any more."""
    to_everybody(a_release(service, development, alice), alice)
    artefact = {"version": "3.0", "digest": OTHER_DIGEST}
    second = to_everybody(a_release(service, development, alice, artefact=artefact), alice)
    return let_pass(second, 3600)


def undo(release: Release, person: User) -> Release:
    return commands.undo(release=release, intent=Intent(acting(person), "orders are lost"))


def by_hand(service: Service, place: Environment, person: User, version: str) -> Release:
    """Brought to everybody by a person who moves the traffic, and not watched any more."""
    plan = {"steps": [{"share": 100}], "proof_of_return": False}
    document: dict[str, Any] = {"strategy": "in_place", "plan": plan}
    made = tick(a_release(service, place, person, version=version, **document))
    commands.confirm(release=made, intent=Intent(acting(person)))
    return let_pass(tick(made), 3600)


def a_pipeline(place: Environment) -> Intent:
    key = issue_key(environment=place, kind="admin", name="CI", intent=Intent(SETTING_UP)).key
    return Intent(authority.key_actor(key, Trace()))


def by_key(
    service: Service,
    place: Environment,
    version: str,
    *,
    digest: str = DIGEST,
    pipeline: Intent | None = None,
    **more: Any,
) -> Release:
    """A pipeline plans a release."""
    document: dict[str, Any] = {
        "service": service.key,
        "artefact": {"version": version, "digest": digest},
        "strategy": "canary",
    }
    return planning.plan_release(
        project=place.project,
        environment=place,
        document=document | more,
        intent=pipeline or a_pipeline(place),
    )


def test_undo__brings_the_version_before_to_everybody_and_both_say_so(
    second: Release, alice: User
) -> None:
    assert routing(second) == {"variant": "blue"}
    third = tick(tick(undo(second, alice)))
    assert (third.title, third.state) == ("checkout 2.0", "succeeded")
    assert routing(third) == {"variant": "green"}
    assert third.undoes == second
    assert fresh(second).because["undone_with"] == third.pk


@pytest.mark.parametrize(
    ("age_s", "sentence"),
    [(0, "It is still watched: roll it back."), (3600, "Nothing was released there before it.")],
)
def test_undo__is_refused_where_a_rollback_does_it_or_nothing_was_before(
    service: Service, development: Environment, alice: User, age_s: int, sentence: str
) -> None:
    first = to_everybody(a_release(service, development, alice), alice)
    with pytest.raises(Invalid, match=sentence):
        undo(let_pass(first, age_s), alice)


def test_undo__is_refused_once_another_version_is_there(second: Release, alice: User) -> None:
    third = tick(tick(undo(second, alice)))
    with pytest.raises(Invalid, match=r"Another version.* is live by now"):
        undo(second, alice)
    assert fresh(third).state == "succeeded"


def test_undo__is_asked_about_like_any_release(
    second: Release, development: Environment, alice: User
) -> None:
    set_policy(development, required_approvals=1)
    with pytest.raises(Waiting):
        undo(second, alice)
    planned = second.undone.get()
    assert (planned.state, routing(second)) == ("planned", {"variant": "blue"})
    request = ChangeRequest.objects.get()
    assert "orders are lost" in request.reason
    with pytest.raises(Invalid, match=f"Release {planned.pk} is planned to do it"):
        undo(second, alice)


@pytest.mark.parametrize("command", ["rollback", "abort"])
def test_what_people_took_back__is_released_again_by_a_person_and_by_no_script(
    service: Service, development: Environment, alice: User, command: str
) -> None:
    taken_back = tick(a_release(service, development, alice))
    commands.TELL[command](release=taken_back, intent=Intent(acting(alice), "blank pages"))
    for name in ("2.0", "2.0-again"):
        with pytest.raises(Conflict, match=f"release {taken_back.pk}"):
            by_key(service, development, name)
    assert by_key(service, development, "2.1", digest=OTHER_DIGEST).state == "planned"
    again = a_release(service, development, alice)
    assert again.state == "running"
    assert by_key(service, development, "2.0").state == "planned"


def test_what_a_script_planned_before_people_took_it_back__does_not_start(
    service: Service, development: Environment, alice: User
) -> None:
    pipeline = a_pipeline(development)
    early, due = (
        by_key(service, development, "2.0", pipeline=pipeline, **more)
        for more in ({}, {"not_before": (clock.now() + timedelta(seconds=600)).isoformat()})
    )
    commands.start(release=due, intent=pipeline)
    taken_back = tick(a_release(service, development, alice))
    commands.rollback(release=taken_back, intent=Intent(acting(alice), "blank pages"))
    with pytest.raises(Conflict, match="Scripts cannot release it"):
        commands.start(release=early, intent=pipeline)
    waits = let_pass(due, 600)
    assert (waits.state, "Scripts cannot release it" in waits.problem) == ("planned", True)
    assert commands.start(release=early, intent=Intent(acting(alice))).state == "running"


def test_what_was_undone__is_released_again_by_no_script(
    second: Release, service: Service, development: Environment, alice: User
) -> None:
    assert by_key(service, development, "3.0", digest=OTHER_DIGEST).state == "planned"
    undo(second, alice)
    with pytest.raises(Conflict, match="Scripts cannot release it"):
        by_key(service, development, "3.0", digest=OTHER_DIGEST)


def test_what_a_check_took_back__a_script_may_try_again(
    service: Service, development: Environment, alice: User
) -> None:
    release = tick(a_release(service, development, alice))
    commands.rollback(release=release, intent=Intent(SETTING_UP, "errors"))
    assert by_key(service, development, "2.0").state == "planned"


def test_undo__under_a_policy__is_watched_by_its_checks_and_needs_no_template(
    second: Release, alice: User
) -> None:
    a_template(second.project)
    a_policy(second.project, checks=[ERRORS], templates=["careful"])
    third = undo(second, alice)
    assert (third.state, third.origins) == ("running", {"errors": "policy:guarded"})
    outcomes(third, 200)
    with pytest.raises(Invalid, match="one of these templates"):  # forward again, and all at once
        undo(let_pass(tick(tick(third)), 3600), alice)


def test_undo__that_waited_until_another_version_was_there__does_not_start(
    development: Environment, alice: User
) -> None:
    service = a_service(development.project)
    a_setup(service, development)
    second = [by_hand(service, development, alice, version) for version in ("1.0", "2.0")][1]
    set_policy(development, required_approvals=1)
    with pytest.raises(Waiting):
        undo(second, alice)
    Policy.objects.all().delete()
    by_hand(service, development, alice, "3.0")
    with pytest.raises(Conflict, match=r"Another version.* is live by now"):
        commands.start(release=second.undone.get(), intent=Intent(acting(alice)))


def test_a_variant_that_people_took_back__is_released_again_by_no_script(
    development: Environment, new_checkout: Flag, dana: User
) -> None:
    wanted = {"flag": new_checkout.key, "variant": "on", "strategy": "feature_flag"}
    place: dict[str, Any] = {"project": development.project, "environment": development}
    made = planning.plan_release(**place, document=wanted, intent=Intent(acting(dana)))
    begun = commands.start(release=made, intent=Intent(acting(dana)))
    commands.rollback(release=begun, intent=Intent(acting(dana), "blank pages"))
    with pytest.raises(Conflict, match=f"release {begun.pk}"):
        planning.plan_release(**place, document=wanted, intent=a_pipeline(development))
