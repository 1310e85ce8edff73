"""Several people at once, each with a transaction of their own."""

import threading
from datetime import datetime

import pytest
from django.db import transaction

from flags.models import Flag, FlagConfiguration
from portal.access import services as access
from portal.access.models import EnvironmentChange, EnvironmentKind, Project, User
from portal.audit import selectors as audit
from portal.audit.models import AuditEvent
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import Intent
from tests.support import concurrently
from tests.support.desk import RULE, Desk
from tests.support.people import SETTING_UP

pytestmark = pytest.mark.django_db(transaction=True)


def test_save_configuration__two_from_one_version__one_wins_and_one_conflicts(
    desk: Desk, alice: User, dana: User
) -> None:
    seen, rows = desk.configuration.version, AuditEvent.objects.count()
    outcomes = concurrently.run(
        lambda: desk.save(alice, seen=seen, rules=[RULE]),
        lambda: desk.save(dana, seen=seen, fallthrough={"variant": "off"}),
    )
    (saved,) = (one for one in outcomes if isinstance(one, FlagConfiguration))
    (refused,) = (one for one in outcomes if isinstance(one, Exception))
    assert isinstance(refused, Conflict), refused
    assert desk.configuration.document == saved.document
    assert refused.current == saved.document | {"version": saved.version}
    assert AuditEvent.objects.count() == rows + 1
    assert EnvironmentChange.objects.filter(version__gt=seen, kind="flag").count() == 1


def test_edit_flag__two_from_one_version__one_wins_and_one_conflicts(
    desk: Desk, alice: User, dana: User
) -> None:
    outcomes = concurrently.run(
        lambda: desk.edit(alice, seen=1, name="Alice's name"),
        lambda: desk.edit(dana, seen=1, name="Dana's name"),
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["Conflict", "Flag"]
    assert Flag.objects.get(pk=desk.flag.pk).version == 2


def test_create_flag__two_with_one_key__one_wins_and_one_is_refused(
    desk: Desk, alice: User, dana: User
) -> None:
    outcomes = concurrently.run(lambda: desk.create(alice), lambda: desk.create(dana))
    assert sorted(type(one).__name__ for one in outcomes) == ["Flag", "Invalid"]
    (refused,) = (one for one in outcomes if isinstance(one, Invalid))
    assert list(refused.problems) == ["key"]


def test_versions__of_ten_changes_at_once__have_no_gap_and_no_double(
    desk: Desk, alice: User, shop: Project
) -> None:
    flags = [desk.create(alice, f"flag-{n}") for n in range(5)]
    desk.environment.refresh_from_db()
    start = desk.environment.version
    desks = [Desk(flag, desk.environment, desk.now) for flag in flags]

    def on_and_off(one: Desk) -> None:
        one.switch(alice, True)
        one.switch(alice, False)

    outcomes = concurrently.run(*[lambda one=one: on_and_off(one) for one in desks])
    assert outcomes == [None] * 5
    changes = EnvironmentChange.objects.filter(environment=desk.environment, version__gt=start)
    assert sorted(changes.values_list("version", flat=True)) == list(range(start + 1, start + 11))
    assert audit.chain_fault() is None


def test_edit_flag__variant_taken_away_while_somebody_starts_to_use_it__stays_valid(
    desk: Desk, alice: User, dana: User
) -> None:
    two, three = desk.flag.variants, [*desk.flag.variants, {"key": "soon", "value": False}]
    desk.edit(alice, variants=three)
    outcomes = concurrently.run(
        lambda: desk.edit(alice, variants=two),
        lambda: desk.save(dana, fallthrough={"variant": "soon"}),
    )
    (refused,) = (one for one in outcomes if isinstance(one, Exception))
    assert isinstance(refused, Invalid | Conflict), refused
    assert desk.configuration.configuration  # still parses under the flag's definition


def test_create_flag__while_an_environment_is_being_created__is_configured_there_too(
    desk: Desk, alice: User, shop: Project, now: datetime
) -> None:
    half_way, finish = threading.Event(), threading.Event()

    def create_environment() -> None:
        with transaction.atomic():
            access.create_environment(
                project=shop,
                key="load-test",
                kind=EnvironmentKind.STAGING,
                intent=Intent(SETTING_UP, at=now),
            )
            half_way.set()
            finish.wait(0.5)  # a flag that does not wait for this commit is created meanwhile

    def create_flag() -> None:
        assert half_way.wait(5)
        desk.create(SETTING_UP)
        finish.set()

    assert concurrently.run(create_environment, create_flag) == [None, None]
    configured = FlagConfiguration.objects.filter(environment__key="load-test")
    assert set(configured.values_list("flag__key", flat=True)) == {"new-checkout", "search-ranking"}
