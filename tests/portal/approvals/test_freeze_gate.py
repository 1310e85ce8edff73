"""What a freeze stops, and what goes on all the same."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from portal.access import authority, services as access
from portal.access.models import Environment, Project, User
from portal.approvals import services
from portal.approvals.errors import NotApproved, Waiting
from portal.approvals.freezes import services as freeze_services
from portal.approvals.freezes.models import FreezeWindow
from portal.approvals.freezes.selectors import Frozen
from portal.approvals.models import ChangeRequest
from portal.audit.models import AuditEvent
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Actor, Intent, Trace, WriteOptions
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.desk import RULE, WRITES, Desk
from tests.support.freezing import a_freeze, freeze_now
from tests.support.people import SETTING_UP, acting, create_person, give_role
from tests.support.rows import everything_kept

# What nobody can notice, and what only turns off.
PASSING = {"create", "edit", "turn off"}
STOPPED = sorted(WRITES.keys() - PASSING)
VALUES = [{"key": "on", "value": False}, {"key": "off", "value": True}]


@pytest.fixture
def open_desk(desk: Desk, guarded: Environment) -> Desk:
    """Production without a policy."""
    guarded.policy.delete()
    return Desk(desk.flag, desk.flag.project.environments.get(key="production"), desk.now)


@pytest.fixture
def weekend(open_desk: Desk) -> Callable[[], FreezeWindow]:
    """Freezes production, when it is called."""
    return lambda: freeze_now(open_desk.environment, reason="No changes at the weekend")


def overriding(desk: Desk, reason: str = "the tax rate changes tonight") -> Desk:
    return replace(desk, options=WriteOptions(override_freeze=True), reason=reason)


def after(row: AuditEvent) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row.after or "{}")
    return found


def events(prefix: str = "") -> list[str]:
    found = AuditEvent.objects.filter(event__startswith=prefix).order_by("sequence")
    return list(found.values_list("event", flat=True))


@pytest.mark.parametrize("name", STOPPED)
def test_a_write_in_a_freeze__alice__is_refused_and_changes_nothing(
    open_desk: Desk, alice: User, weekend: Callable[[], FreezeWindow], name: str
) -> None:
    WRITES[name].first(open_desk, alice)
    freeze = weekend()
    before = everything_kept()
    with pytest.raises(
        Frozen, match=r"Production is frozen by “Weekend” until .* \(UTC\)"
    ) as error:
        WRITES[name].run(open_desk, alice)
    assert everything_kept() == before
    assert error.value.status == 409
    (told,) = error.value.extras["freezes"]
    assert (told["name"], told["environments"]) == ("Weekend", ["production"])
    assert told["address"].endswith(f"/p/shop/freezes/#freeze-{freeze.pk}")
    assert told["until"].startswith(freeze.ends[:10])


@pytest.mark.parametrize("name", STOPPED)
def test_a_write_in_a_freeze__alice_overrides_it__is_recorded(
    open_desk: Desk, alice: User, weekend: Callable[[], FreezeWindow], name: str
) -> None:
    WRITES[name].first(open_desk, alice)
    freeze = weekend()
    WRITES[name].run(overriding(open_desk), alice)
    overridden, changed = AuditEvent.objects.order_by("sequence").reverse()[:2][::-1]
    assert (overridden.event, changed.event) == ("freeze.overridden", WRITES[name].event)
    assert (overridden.subject, overridden.actor) == (str(freeze.pk), "alice")
    assert overridden.reason == changed.reason == "the tax rate changes tonight"
    said = after(overridden)
    assert (said["freeze"], said["subject"]) == ("Weekend", "flag new-checkout")


@pytest.mark.parametrize("name", sorted(PASSING))
def test_what_nobody_notices_and_what_turns_off__dana__goes_on_in_a_freeze(
    open_desk: Desk, dana: User, weekend: Callable[[], FreezeWindow], name: str
) -> None:
    WRITES[name].first(open_desk, dana)
    weekend()
    WRITES[name].run(open_desk, dana)
    assert events()[-1] == WRITES[name].event
    assert not events("freeze.overridden")


def test_turning_off_and_something_else__is_refused(
    open_desk: Desk, dana: User, weekend: Callable[[], FreezeWindow]
) -> None:
    open_desk.switch(dana, True)
    weekend()
    with pytest.raises(Frozen):
        open_desk.save(dana, enabled=False, rules=[RULE])


def test_values_of_a_flag__are_every_environments_business(
    open_desk: Desk, dana: User, weekend: Callable[[], FreezeWindow]
) -> None:
    weekend()
    with pytest.raises(Frozen, match="Production is frozen"):
        open_desk.edit(dana, variants=VALUES)


def test_other_environments_and_other_times__are_not_frozen(
    open_desk: Desk, development: Environment, dana: User, weekend: Callable[[], FreezeWindow]
) -> None:
    a_freeze(open_desk.flag.project, environments=["production"])
    assert open_desk.switch(dana, True).enabled
    weekend()
    assert Desk(open_desk.flag, development, open_desk.now).switch(dana, True).enabled


def test_overriding__dana_without_the_permission__is_forbidden(
    open_desk: Desk, dana: User, weekend: Callable[[], FreezeWindow]
) -> None:
    weekend()
    before = everything_kept()
    with pytest.raises(Forbidden, match="change things during a freeze"):
        overriding(open_desk).switch(dana, True)
    assert everything_kept() == before


def test_overriding__with_the_permission_in_another_environment__is_forbidden(
    open_desk: Desk, shop: Project, dana: User, weekend: Callable[[], FreezeWindow]
) -> None:
    give_role(shop, dana, "devops_lead", shop.environments.get(key="staging"))
    weekend()
    with pytest.raises(Forbidden):
        overriding(open_desk).switch(dana, True)


def test_overriding__without_a_reason__is_refused(
    open_desk: Desk, alice: User, weekend: Callable[[], FreezeWindow]
) -> None:
    weekend()
    with pytest.raises(Invalid, match="cannot wait"):
        overriding(open_desk, reason=" ").switch(alice, True)


def test_overriding__keys_and_the_product_itself__cannot(
    open_desk: Desk, alice: User, weekend: Callable[[], FreezeWindow]
) -> None:
    issued = access.issue_key(
        environment=open_desk.environment,
        kind="admin",
        name="CI",
        intent=Intent(acting(alice), at=open_desk.now),
    )
    weekend()
    actors: list[Actor] = [authority.key_actor(issued.key, Trace()), SETTING_UP]
    for actor in actors:
        with pytest.raises(Frozen):
            overriding(open_desk).switch(actor, True)
    assert not events("freeze.overridden")


def test_asking_for_approval__in_a_freeze__is_free(desk: Desk, dana: User) -> None:
    freeze_now(desk.environment)
    with pytest.raises(Waiting):
        desk.switch(dana, True)


def test_applying__in_a_freeze__is_refused_until_somebody_overrides_it(
    desk: Desk, dana: User, erin: User, frank: User
) -> None:
    with pytest.raises(Waiting) as error:
        desk.switch(dana, True, apply_when_approved=False)
    request = waiting(error)
    freeze_now(desk.environment)
    with pytest.raises(NotApproved):
        services.apply_request(request=request, intent=Intent(acting(frank)))
    vote(request, erin)
    vote(request, frank)

    def apply(person: User, reason: str = "", **options: Any) -> ChangeRequest:
        intent = Intent(acting(person), reason)
        return services.apply_request(request=request, intent=intent, **options)

    with pytest.raises(Frozen):
        apply(frank)
    with pytest.raises(Forbidden):
        apply(erin, override_freeze=True, reason="now")
    with pytest.raises(Invalid, match="cannot wait"):
        apply(frank, override_freeze=True)
    assert not desk.configuration.enabled
    assert apply(frank, override_freeze=True, reason="legal wants it").state == "applied"
    overridden = AuditEvent.objects.get(event="freeze.overridden")
    assert (overridden.actor, overridden.reason) == ("frank", "legal wants it")


def test_an_approved_turning_off__goes_on_in_a_freeze(
    desk: Desk, guarded: Environment, dana: User, erin: User
) -> None:
    guarded.policy.delete()
    desk.switch(dana, True)
    set_policy(guarded, required_approvals=1, turning_off_needs_approval=True)
    freeze_now(desk.environment)
    with pytest.raises(Waiting) as error:
        desk.switch(dana, False)
    assert vote(waiting(error), erin).problem == ""
    assert not desk.configuration.enabled


@pytest.fixture
def grace(desk: Desk, guarded: Environment) -> User:
    """On call, and may break glass in production."""
    guarded.policy.delete()
    set_policy(guarded, **TWO_ROLES, break_glass=["on_call_engineer"])
    person = create_person("grace")
    give_role(desk.flag.project, person, "on_call_engineer")
    return person


def test_breaking_glass__in_a_freeze__says_which(desk: Desk, grace: User) -> None:
    freeze_now(desk.environment)
    assert desk.switch(grace, True, break_glass=True, reason="checkout is down").enabled
    used = AuditEvent.objects.get(event="break_glass.used")
    assert after(used)["freezes"] == ["Weekend"]


def test_breaking_glass__does_not_break_the_freeze_of_another_environment(
    desk: Desk, shop: Project, grace: User
) -> None:
    """Definitions are every environment's business; Grace may break glass in production alone."""
    give_role(shop, grace, "developer")
    freeze_now(desk.environment)
    freeze_now(shop.environments.get(key="staging"), name="Trade fair")
    glass = replace(desk, options=WriteOptions(break_glass=True), reason="checkout is down")
    with pytest.raises(Frozen, match="Staging is frozen by “Trade fair”") as error:
        glass.edit(grace, variants=VALUES)
    assert "Weekend" not in str(error.value)


def test_an_emergency_change__takes_itself_back_in_a_freeze(desk: Desk, grace: User) -> None:
    from portal.approvals.models import Emergency

    desk.switch(grace, True, break_glass=True, reason="checkout is down")
    freeze_now(desk.environment)
    emergency = Emergency.objects.get()
    services.revert_emergency(emergency=emergency, intent=Intent(acting(grace)))
    assert not desk.configuration.enabled


def test_a_cancelled_freeze__stops_nothing(open_desk: Desk, alice: User) -> None:
    freeze = freeze_now(open_desk.environment)
    freeze_services.cancel_freeze(freeze=freeze, intent=Intent(acting(alice)))
    assert open_desk.switch(alice, True).enabled
