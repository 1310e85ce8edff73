"""How far back the history reaches, and that nothing is guessed beyond."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from pytest_django import Settings

from flags.core.subject import EVENTS
from flags.explain import history_reader, rebuilding
from flags.explain.history_reader import NotRecorded
from flags.explain.rebuilding import Answer
from portal.access.models import User
from portal.access.services import create_environment
from portal.audit import services as audit
from portal.audit.models import AuditEvent
from portal.lib import clock, journal
from portal.lib.journal import Intent
from tests.support import append_only
from tests.support.desk import Desk
from tests.support.people import acting

pytestmark = pytest.mark.django_db
TELL_NOTHING = ("flag.schedule_", "flag.ramp_")


def answer(desk: Desk, moment: datetime, flag: str = "") -> Answer:
    return rebuilding.answer_at(
        project=desk.flag.project,
        environment=desk.environment.key,
        flag=flag or desk.flag.key,
        context={},
        moment=moment,
    )


def variant(desk: Desk, moment: datetime) -> Any:
    return answer(desk, moment).explained.body["variant"]


def forget(event: str, **changes: object) -> None:
    """As if an older Aviary had written the rows of an event."""
    with append_only.lifted():
        AuditEvent.objects.filter(event=event).update(**changes)


@pytest.fixture
def purged(desk: Desk, alice: User, settings: Settings) -> datetime:
    """The flag was made and turned on, which was purged; returns when that was over."""
    desk.switch(alice, True)
    settings.AUDIT_RETENTION_DAYS = 30
    later = clock.now() + timedelta(days=30)
    audit.purge(intent=Intent(journal.system("retention"), at=later))
    return clock.now()


def test_past__before_the_flag__is_not_found(desk: Desk) -> None:
    found = answer(desk, clock.now() - timedelta(days=1))
    assert (found.explained.status, found.causes) == (404, ())


def test_past__flag_that_never_was__is_not_found(desk: Desk) -> None:
    assert answer(desk, clock.now(), "nowhere").explained.status == 404


def test_past__archived__is_not_found_and_says_who_archived_it(desk: Desk, alice: User) -> None:
    desk.archive(alice)
    found = answer(desk, clock.now())
    assert found.explained.status == 404
    assert found.causes[0].row.event == "flag.archived"


def test_past__purged__says_so_and_does_not_guess(
    desk: Desk, purged: datetime, alice: User
) -> None:
    assert variant(desk, purged) == "on"  # the purge kept what it had become
    with pytest.raises(NotRecorded, match="was purged"):
        answer(desk, purged - timedelta(hours=1))
    with pytest.raises(NotRecorded, match="was purged"):
        answer(desk, clock.now(), "nowhere")


def test_past__purged_but_changed_since__is_told_by_what_the_change_found(
    desk: Desk, purged: datetime, alice: User
) -> None:
    desk.switch(alice, False)
    desk.edit(alice, description="new")
    # As if the purge had been long ago: of rows from before it there are none left.
    purge = AuditEvent.objects.get(event="audit.purged")
    older = {**json.loads(purge.after), "older_than": (purged - timedelta(days=1)).isoformat()}
    forget("audit.purged", after=json.dumps(older))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("portal.audit.selectors.last_purge", lambda: changed(purge))
        assert variant(desk, purged) == "on"
        assert variant(desk, clock.now()) == "off"


def changed(purge: AuditEvent) -> AuditEvent:
    """The row as it is stored by now."""
    purge.refresh_from_db()
    return purge


def test_past__first_configuration_that_an_older_aviary_did_not_write_down__is_not_guessed(
    desk: Desk, alice: User
) -> None:
    document = json.dumps(desk.flag.document)
    forget("flag.created", after=document)
    with pytest.raises(NotRecorded, match="begins too late"):
        answer(desk, clock.now())
    before = clock.now()
    desk.switch(alice, True)
    assert variant(desk, before) == "off"  # what the switch found
    assert variant(desk, clock.now()) == "on"


def test_every_event_about_flags__tells_of_the_past_or_is_known_not_to() -> None:
    place = history_reader.configuration_in("production", "a-flag")
    aspects = (history_reader.DEFINITION, history_reader.ARCHIVED, place)
    telling_events = {event for aspect in aspects for event in aspect.after}
    silent = {event for event in EVENTS if event.startswith(TELL_NOTHING)}
    assert telling_events - {history_reader.KEPT} | silent == set(EVENTS)


def test_past__many_changes__reads_a_few_rows(
    desk: Desk, alice: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        desk.switch(alice, number % 2 == 0)
    with transaction.atomic(), django_assert_max_num_queries(15):
        answer(desk, clock.now())


def test_past__environment_that_came_later__is_told_by_its_start(desk: Desk, alice: User) -> None:
    before = clock.now()
    place = create_environment(
        project=desk.flag.project, key="qa", kind="staging", intent=Intent(acting(alice), at=before)
    )
    there = Desk(desk.flag, place, clock.now())
    found = answer(there, clock.now())
    assert found.explained.body["reason"] == "DISABLED"
    assert found.causes[0].row.event == "environment.flags_started"
    assert answer(there, before).explained.status == 404
