"""Workers, people and releases at once, each with a transaction of its own."""

import pytest

from portal.access.models import Environment, User
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from releases.core import commands, runner
from releases.core.models import Release, StepExecution
from releases.core.transitions import engine_of
from tests.support import concurrently
from tests.support.grouping import KEYS, a_group, a_member, ended, look, members, states, steps
from tests.support.people import acting
from tests.support.releasing import a_release, fresh, routed_by_flag, routing

pytestmark = pytest.mark.django_db(transaction=True)


def soaked(release: Release) -> None:
    """As if its step had been watched for long enough."""
    now = fresh(release)
    assert now.entered_at is not None
    past = "2026-01-01T00:00:00Z"
    Release.objects.filter(pk=now.pk).update(entered_at=past, due_at=clock.database_now())


def moves_of(release: Release) -> int:
    rows = AuditEvent.objects.filter(actor=engine_of(release).label)
    return rows.filter(event="flag.targeting_changed").count()


def test_one_task_delivered_fifty_times__is_one_step(development: Environment, alice: User) -> None:
    release = a_release(routed_by_flag(development, checks=()), development, alice)
    runner.tick_due()
    soaked(release)
    found = concurrently.run(*[lambda: [runner.tick_due() for _time in range(5)]] * 10)
    assert not [one for one in found if isinstance(one, Exception)]
    now = fresh(release)
    assert (now.step, StepExecution.objects.filter(release=release).count()) == (1, 2)
    assert moves_of(release) == 2


def test_a_tick_and_a_rollback_at_once__end_rolled_back(
    development: Environment, alice: User
) -> None:
    service = routed_by_flag(development, checks=())
    for number in range(3):
        release = a_release(service, development, alice, version=f"2.{number}")
        runner.tick_due()
        soaked(release)
        intent = Intent(acting(alice), "because")
        found = concurrently.run(
            runner.tick_due,
            lambda release=release, intent=intent: commands.rollback(  # type: ignore[misc]
                release=release, intent=intent
            ),
            lambda release=release, intent=intent: commands.rollback(  # type: ignore[misc]
                release=release, intent=intent
            ),
        )
        assert not [one for one in found if isinstance(one, Exception)]
        runner.tick_due()
        assert fresh(release).state == "rolled_back"
        assert routing(release) == {"variant": "blue"}
        ended = AuditEvent.objects.filter(event="release.rolled_back", subject=str(release.pk))
        assert ended.count() == 1


def test_two_releases_started_at_once__one_moves(development: Environment, alice: User) -> None:
    service = routed_by_flag(development, checks=())
    both = [
        a_release(service, development, alice, version=version, start=False)
        for version in ("2.0", "2.1")
    ]
    intent = Intent(acting(alice))
    concurrently.run(*[lambda one=one: commands.start(release=one, intent=intent) for one in both])
    assert sorted(fresh(one).state for one in both) == ["planned", "running"]


def test_a_group_looked_at_by_many_and_taken_back_at_once__goes_back_whole_and_once(
    development: Environment, alice: User
) -> None:
    for number in range(3):
        documents = [a_member(development, f"{key}-{number}") for key in KEYS]
        group = a_group(development, alice, *documents)
        look(group, times=2)
        for one in members(group):
            soaked(one)
        one, other = members(group)[:2]
        intent = Intent(acting(alice), "because")
        found = concurrently.run(
            *[lambda: [runner.tick_due() for _time in range(3)]] * 3,
            lambda one=one, intent=intent: commands.rollback(  # type: ignore[misc]
                release=one, intent=intent
            ),
            lambda other=other, intent=intent: commands.abort(  # type: ignore[misc]
                release=other, intent=intent
            ),
        )
        errors = [one for one in found if isinstance(one, Exception)]
        assert all(isinstance(error, Invalid) for error in errors), errors
        look(group)
        assert not {*states(group)} - {"rolled_back", "aborted"}
        for one in members(group):
            assert routing(one) == {"variant": "blue"}
        assert len(ended(group)) == 3
        failed = AuditEvent.objects.filter(event="release_group.failed", subject=str(group.pk))
        assert failed.count() == 1


def test_a_group_looked_at_by_many__takes_each_step_once(
    development: Environment, alice: User
) -> None:
    group = a_group(development, alice)
    look(group, times=2)
    for one in members(group):
        soaked(one)
    found = concurrently.run(*[lambda: [runner.tick_due() for _time in range(5)]] * 6)
    assert not [one for one in found if isinstance(one, Exception)]
    look(group)
    assert (steps(group), StepExecution.objects.count()) == ([1, 1, 1], 6)
