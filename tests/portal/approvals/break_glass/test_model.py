"""Against a small model: of each field the last change counts that was not taken back."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from hypothesis import HealthCheck, given, settings, strategies as st

from portal.access.models import User
from portal.approvals import services
from portal.approvals.models import Emergency
from portal.lib.journal import Intent
from tests.support.desk import Desk
from tests.support.glass import break_glass, end, end_all, serve, without_policy
from tests.support.people import acting

FIELDS: dict[str, list[Any]] = {
    "enabled": [True, False],
    "off_variant": ["on", "off"],
    "fallthrough": [serve("on"), serve("off")],
    "salt": ["a", "b", "c"],
}
_writes = st.sampled_from(list(FIELDS)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(FIELDS[name]))
)
_operations = st.one_of(
    st.tuples(st.just("glass"), _writes),
    st.tuples(st.just("agreed"), _writes),
    st.tuples(st.just("turn off"), st.none()),
    st.tuples(st.sampled_from(["end", "confirm"]), st.integers(0, 3)),
)


@dataclass
class Model:
    """A log of assignments; those of emergencies that ended do not count."""

    log: list[tuple[int | None, str, Any]]
    ended: set[int | None]

    def state(self) -> dict[str, Any]:
        return {name: value for owner, name, value in self.log if owner not in self.ended}


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(operations=st.lists(_operations, max_size=14))
def test_any_course_of_events__serves_what_was_agreed_to_and_what_still_runs(
    desk: Desk, grace: User, erin: User, dana: User, operations: list[tuple[str, Any]]
) -> None:
    with transaction.atomic():
        start = desk.configuration.document
        model = Model([(None, name, start[name]) for name in FIELDS], set())
        for operation, given_ in operations:
            _carry_out(desk, (grace, erin, dana), model, operation, given_)
            assert _served(desk) == model.state()
        for one in _running():
            model.ended.add(one.pk)
        end_all()
        assert _served(desk) == model.state()
        transaction.set_rollback(True)


def _served(desk: Desk) -> dict[str, Any]:
    document = desk.configuration.document
    return {name: document[name] for name in FIELDS}


def _running() -> list[Emergency]:
    found = Emergency.objects.filter(confirmed_at=None, reverted_at=None, superseded_at=None)
    return list(found.order_by("pk"))


def _carry_out(
    desk: Desk, people: tuple[User, User, User], model: Model, operation: str, given_: Any
) -> None:
    grace, erin, dana = people
    if operation in ("end", "confirm"):
        running = _running()
        if not running:
            return
        chosen = running[given_ % len(running)]
        if operation == "end":
            model.ended.add(chosen.pk)
            end(chosen)
        else:
            services.confirm_emergency(emergency=chosen, intent=Intent(acting(erin), at=desk.now))
        return
    name, value = given_ or ("enabled", False)
    if model.state()[name] == value:
        return
    turns_off = (name, value) == ("enabled", False)
    changes: dict[str, Any] = {name: value}
    if operation == "glass" and not turns_off:
        emergency = break_glass(desk, grace, **changes)
        model.log.append((emergency.pk, name, value))
        return
    if turns_off:  # needs nobody
        desk.switch(dana, False)
    else:
        with without_policy(desk.environment):
            desk.save(dana, **changes)
    model.log.append((None, name, value))
