"""A machine whose clock goes wrong: only the database's says when a step is due."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from portal.access.models import Environment, User
from portal.lib import clock
from releases.core import runner
from releases.core.models import Release
from tests.support.releasing import PLAN, a_release, fresh, let_pass, routed_by_flag, tick

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
TWO_HOURS = timedelta(hours=2)
WRONG = pytest.mark.parametrize("hours", [-2, 2])


@contextmanager
def wrong_by(hours: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine's clock is wrong. SQLite has no other, so there one is made that is right."""
    moved = time_machine.travel(datetime.now(UTC) + timedelta(hours=hours))
    with monkeypatch.context() as patched, moved:
        if connection.vendor != "postgresql":
            right = time_machine.escape_hatch.datetime.datetime
            patched.setattr(clock, "database_now", lambda: right.now(UTC))
        assert abs(clock.now() - clock.database_now()) > timedelta(hours=1)
        yield


@WRONG
def test_a_clock_that_is_wrong__ends_no_step_early_and_none_late(
    development: Environment, alice: User, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    release = tick(a_release(routed_by_flag(development, checks=()), development, alice))
    with wrong_by(hours, monkeypatch):
        assert (tick(release).step, fresh(release).state) == (0, "running")
        moved_on = let_pass(release, 60)
        assert moved_on.step == 1
        assert (again := tick(release)).step == 1
        assert again.entered_at is not None
        assert abs(again.entered_at - clock.database_now()) < timedelta(minutes=5)


@WRONG
def test_a_clock_that_is_wrong__starts_no_release_before_its_time(
    development: Environment, alice: User, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    at = (clock.database_now() + timedelta(hours=1)).isoformat()
    service = routed_by_flag(development, checks=())
    release = a_release(service, development, alice, not_before=at)
    with wrong_by(hours, monkeypatch):
        runner.tick_due()
        assert fresh(release).state == "planned"
        assert let_pass(release, 3600).state == "running"


@WRONG
def test_a_clock_that_is_wrong__trips_no_deadline(
    development: Environment, alice: User, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    plan = {**PLAN, "deadline_s": 3600, "on": {"deadline": "roll_back"}}
    service = routed_by_flag(development, checks=())
    release = tick(a_release(service, development, alice, plan=plan))
    with wrong_by(hours, monkeypatch):
        assert tick(release).state == "running"
        Release.objects.filter(pk=release.pk).update(started_at=clock.database_now() - TWO_HOURS)
        assert tick(release).state in ("rolling_back", "rolled_back")
