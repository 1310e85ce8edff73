"""The same done to many flags."""

from typing import Any

import pytest

from flags.core import bulk
from flags.core.bulk import ACTIONS, MOST_FLAGS, BulkResult, End, Job
from flags.models import Flag
from portal.access.models import Environment, User
from portal.approvals.models import ChangeRequest
from portal.audit.models import AuditEvent
from portal.lib.errors import Invalid
from portal.lib.journal import PLAIN, Intent, WriteOptions
from tests.support.desk import Desk
from tests.support.people import acting

pytestmark = pytest.mark.postgresql


def do(
    desk: Desk,
    person: User,
    action: str,
    *flags: Flag,
    reason: str = "",
    options: WriteOptions = PLAIN,
    **job: Any,
) -> list[BulkResult]:
    return bulk.change_flags(
        flags=flags or Flag.objects.filter(project=desk.flag.project).order_by("key"),
        action=action,
        job=Job(Intent(acting(person), reason, options, at=desk.now), **job),
    )


def ends(outcomes: list[BulkResult]) -> dict[str, End]:
    return {one.flag.key: one.end for one in outcomes}


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action__dana__is_done_with_an_audit_row_per_flag(
    desk: Desk, dana: User, action: str
) -> None:
    desk.create(dana, "second", tags=["old"])
    desk.edit(dana, tags=["old"])
    if action == "turn_off":
        do(desk, dana, "turn_on", environment=desk.environment)
    before = AuditEvent.objects.count()
    tags = ("old",) if action == "remove_tags" else ("new", "old")
    outcomes = do(desk, dana, action, environment=desk.environment, tags=tags, owner="crew")
    assert set(ends(outcomes).values()) == {End.DONE}
    rows = AuditEvent.objects.count() - before
    assert rows == 2


def test_one_refusal__stops_no_other(desk: Desk, dana: User) -> None:
    archived = desk.create(dana, "archived")
    Desk(archived, desk.environment, desk.now).archive(dana)
    outcomes = do(desk, dana, "turn_on", environment=desk.environment)
    assert ends(outcomes) == {"archived": End.REFUSED, desk.flag.key: End.DONE}
    assert "Restore it first" in outcomes[0].text
    assert desk.configuration.enabled


def test_each_flag__waits_for_approval_by_itself(
    desk: Desk, dana: User, guarded: Environment
) -> None:
    desk.create(dana, "second")
    outcomes = do(desk, dana, "turn_on", environment=guarded)
    assert set(ends(outcomes).values()) == {End.WAITING}
    requests = {f"/p/shop/changes/{one.pk}" for one in ChangeRequest.objects.all()}
    assert {one.path for one in outcomes} == requests
    assert len(requests) == 2


def test_turning_on__what_was_changed_since_it_was_seen__is_refused(desk: Desk, dana: User) -> None:
    seen = {desk.flag.key: desk.configuration.version - 1}
    (outcome,) = do(desk, dana, "turn_on", environment=desk.environment, seen=seen)
    assert outcome.end is End.REFUSED
    assert not desk.configuration.enabled


def test_what_makes_no_sense__is_refused_as_a_whole(desk: Desk, dana: User) -> None:
    with pytest.raises(Invalid):
        do(desk, dana, "explode")
    with pytest.raises(Invalid):
        do(desk, dana, "add_tags")
    with pytest.raises(Invalid):
        do(desk, dana, "archive", *[desk.flag] * (MOST_FLAGS + 1))
