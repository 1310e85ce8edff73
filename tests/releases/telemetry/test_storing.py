"""Outcomes in the database: added up once, of what there is, in buckets that get coarser."""

import math
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

import orjson
import pytest
from django.conf import settings
from django.db import transaction
from hypothesis import given, strategies as st
from pytest_django import DjangoAssertNumQueries

from flags.channel import TELEMETRY, IntakeBatch, Sealer, ToldCounts, read_telemetry
from flags.channel.intake import open_batch
from flags.channel.telemetry import BucketKey, Counts, write_telemetry
from flags.delivery import intake, relay
from flags.engine.sketch import RELATIVE_ERROR, Sketch, bucket_of
from flags.evaluator.intake_queue import minute_of
from flags.evaluator.outcomes import Outcomes
from flags.models import Flag
from portal.access.models import Environment
from portal.lib import clock
from portal.lib.journal import Intent
from releases.catalogue import services
from releases.catalogue.models import Service
from releases.engine.tally import Tally
from releases.telemetry import reading, storing
from releases.telemetry.models import OutcomeBucket, UnknownService
from tests.support import concurrently
from tests.support.people import SETTING_UP
from tests.support.redis_server import RedisServer
from tests.support.releasing import DIGEST, a_service

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db]


@pytest.fixture
def now() -> datetime:
    return clock.now()


@pytest.fixture(autouse=True)
def _checkout(production: Environment) -> None:
    a_service(production.project)


def place_of(environment: Environment, at: datetime, **changes: object) -> BucketKey:
    named = {"about": "service", "name": "checkout", "version": "2.0", "by_client": False}
    about, name, version, by_client = (changes.get(key, one) for key, one in named.items())
    start = int(at.timestamp()) // 10 * 10
    return (environment.pk, about, name, version, by_client, start)  # type: ignore[return-value]


def some(*durations: float, errors: int = 0, kind: str = "") -> Counts:
    buckets = Counter(map(bucket_of, durations))
    types = {kind: errors} if kind else {}
    return Counts(len(durations), errors, 0, 0.0, dict(buckets), types)


def batch(told: Iterable[tuple[BucketKey, Counts]], at: datetime) -> IntakeBatch:
    ((count, content),) = write_telemetry(told)
    return IntakeBatch(TELEMETRY, minute_of(at.timestamp()), at.timestamp(), content, count)


def tally(
    environment: Environment, now: datetime, version: str = "2.0", *, counts_clients: bool = False
) -> Tally:
    return reading.tally(
        environment,
        "service",
        "checkout",
        version,
        since=now - timedelta(days=1),
        until=now + timedelta(minutes=1),
        counts_clients=counts_clients,
    )


def store(*told: tuple[BucketKey, Counts], now: datetime) -> int:
    with transaction.atomic():
        return storing.store([ToldCounts(*one) for one in told], now)


def test_batches__that_share_a_bucket__add_up_and_each_counts_once(
    production: Environment, now: datetime
) -> None:
    place = place_of(production, now)
    first = batch([(place, some(10, 20, errors=1, kind="timeout"))], now)
    second = batch([(place, some(10, errors=1, kind="refused"))], now)
    for batches in ([first], [first, second], [second]):
        intake.take(TELEMETRY, batches, now=now)
    found = tally(production, now)
    assert found.durations == Sketch.of([10, 10, 20])
    assert (found.requests, found.errors) == (3, 2)
    assert found.error_types == {"timeout": 1, "refused": 1}
    assert OutcomeBucket.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers__that_add_to_one_bucket__lose_nothing(
    production: Environment, now: datetime
) -> None:
    places = [place_of(production, now, version=version) for version in ("1.0", "2.0")]
    one = batch([(place, some(10)) for place in places], now)
    other = batch([(place, some(20)) for place in reversed(places)], now)
    concurrently.run(
        lambda: intake.take(TELEMETRY, [one], now=now),
        lambda: intake.take(TELEMETRY, [other], now=now),
    )
    assert [tally(production, now, one).requests for one in ("1.0", "2.0")] == [2, 2]


class Killed(BaseException):
    """As SIGKILL: nothing that follows is done."""


def test_many_buckets__are_stored_in_slices_and_once_whatever_dies_between(
    redis_server: RedisServer,
    production: Environment,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"service-{number}" for number in range(35)]
    made = {"project": production.project, "created_at": now}
    rows = [Service(key=name, name=name, **made) for name in names]
    Service.objects.bulk_create(rows)
    about = [{"name": name, "version": str(version)} for name in names for version in range(20)]
    places = [place_of(production, now, **one) for one in about]
    redis_server.restart_empty()
    relay._redis.cache_clear()
    redis = relay.connection()
    for at in (0, 0, 50):  # two were told of the same, a third mostly
        sealed = batch([(one, some(10)) for one in places[at:]], now).seal(
            Sealer(settings.SNAPSHOT_KEY)
        )
        redis.xadd(TELEMETRY.stream, {"count": 1, "told": 0, "batch": sealed})
    decode, keep = intake._READERS[TELEMETRY]
    stored: list[int] = []

    def noting(told: list[ToldCounts], at: datetime) -> int:
        stored.append(len({one.place for one in told}))
        return int(keep(told, at))

    monkeypatch.setitem(intake._READERS, TELEMETRY, (decode, noting))

    def die(name: str) -> None:
        if name == "intake-between-slices" and len(stored) == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(intake, "failpoint", die)
        with pytest.raises(Killed):
            intake.drain()
    assert 0 < OutcomeBucket.objects.count() < 700
    intake.drain()
    assert max(stored) <= 300
    assert len(stored) <= 10  # what was told three times is stored in one go
    assert OutcomeBucket.objects.count() == 700
    counts = Counter(OutcomeBucket.objects.values_list("requests", flat=True))
    assert counts == {3: 650, 2: 50}
    assert redis.xlen(TELEMETRY.stream) == 0


def test_services_that_there_are_not__are_kept_by_name_until_there_are(
    production: Environment, now: datetime
) -> None:
    names = [f"service-{number:02}" for number in range(storing.MOST_UNKNOWN + 5)]
    told = [(place_of(production, now, name=name), some(1, 2)) for name in names]
    stranger = place_of(production, now, name="made-up", by_client=True)
    assert store(*told, (stranger, some(1)), now=now) == 0
    assert store(told[0], now=now) == 0
    assert not OutcomeBucket.objects.exists()
    kept = {one.name: one.count for one in UnknownService.objects.all()}
    named = names[: storing.MOST_UNKNOWN]
    assert kept == {**dict.fromkeys(named, 2), named[0]: 4, "": 11}
    project = production.project
    assert [one.name for one in reading.unknown_services(project, now=now)] == named
    a_service(project, named[3])
    assert named[3] not in [one.name for one in reading.unknown_services(project, now=now)]
    assert not reading.unknown_services(project, now=now + timedelta(days=2))
    storing.roll_up(now=now + timedelta(days=36))
    assert not UnknownService.objects.exists()


def test_what_client_keys_tell__is_of_known_versions_and_counts_where_that_is_wanted(
    production: Environment, now: datetime
) -> None:
    service = a_service(production.project)
    services.artefact_of(
        service=service,
        document={"version": "2.0", "digest": DIGEST},
        intent=Intent(SETTING_UP),
    )
    theirs = place_of(production, now, by_client=True)
    made_up = place_of(production, now, by_client=True, version="9.9")
    ours = place_of(production, now)
    assert store((ours, some(1)), (theirs, some(1, 2)), (made_up, some(1, 2, 3)), now=now) == 0
    assert OutcomeBucket.objects.count() == 2
    assert tally(production, now).requests == 1
    assert tally(production, now, counts_clients=True).requests == 3


def test_what_is_gone__is_counted_as_such(
    production: Environment, new_checkout: Flag, now: datetime
) -> None:
    flag = place_of(production, now, about="flag", name=new_checkout.key, version="on")
    gone = place_of(production, now, about="flag", name="gone", version="on")
    nowhere = (10**9, *flag[1:])
    told = [(place, some(1)) for place in (flag, gone, nowhere)]
    assert store(*told, now=now) == 2
    assert [one.name for one in OutcomeBucket.objects.all()] == [new_checkout.key]


def test_who_looks_at_outcomes__hears_of_them_once_they_are_committed(
    production: Environment,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: object,
) -> None:
    heard: list[storing.About] = []
    monkeypatch.setattr(storing, "stored", [heard.extend])
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        store((place_of(production, now), some(1)), now=now)
        assert heard == []
    assert heard == [(production.pk, "service", "checkout")]


def test_buckets__become_minutes_after_two_hours_and_say_the_same(
    production: Environment, now: datetime
) -> None:
    old = (now - timedelta(hours=3)).replace(second=0, microsecond=0)
    seconds = [0, 10, 50, 60, 70]
    told = [
        (place_of(production, old + timedelta(seconds=one)), some(one + 1, one + 2, errors=1))
        for one in seconds
    ]
    store(*told, (place_of(production, now), some(1)), now=now)
    before = tally(production, now)
    for _time in range(2):
        storing.roll_up(now=now)
        assert tally(production, now) == before
    rows = OutcomeBucket.objects.order_by("start").values_list("start", "width", "requests")
    assert list(rows)[:2] == [(old, 60, 6), (old + timedelta(minutes=1), 60, 4)]
    assert rows[2][1] == 10
    store((told[0][0], some(1)), now=now)  # it waited somewhere
    storing.roll_up(now=now)
    assert OutcomeBucket.objects.filter(width=60).count() == 2
    assert tally(production, now).requests == before.requests + 1
    storing.roll_up(now=now + timedelta(days=36))
    assert not OutcomeBucket.objects.exists()


def test_a_roll_up_of_more_than_it_does_at_once__does_all_of_it(
    production: Environment, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "ROWS_AT_ONCE", 2)
    old = now - timedelta(hours=3)
    told = [
        (place_of(production, old + timedelta(seconds=10 * one), version=str(one % 3)), some(1))
        for one in range(20)
    ]
    store(*told, now=now)
    storing.roll_up(now=now)
    assert not OutcomeBucket.objects.filter(width=10).exists()
    assert sum(tally(production, now, str(one)).requests for one in range(3)) == 20


def test_reading__begins_where_it_is_told_and_takes_one_query(
    production: Environment, now: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    told = [
        (place_of(production, start + timedelta(seconds=one)), some(*[one + 1] * (one + 1)))
        for one in (0, 10, 20, 90)
    ]
    store(*told, now=now)
    about = (production, "service", "checkout", "2.0")
    since, until = start + timedelta(seconds=5), start + timedelta(seconds=120)
    with django_assert_num_queries(1):
        assert reading.tally(*about, since=since, until=until).requests == 11 + 21 + 91
    with django_assert_num_queries(1):
        points = reading.series(*about, start, until, points=4)
    seen = [((one.start - start).total_seconds(), one.requests) for one in points]
    assert seen == [(0, 1 + 11 + 21), (90, 91)]
    assert points[1].p95 == pytest.approx(91, rel=RELATIVE_ERROR)
    assert len(reading.series(*about, start, until, points=1)) == 1
    assert reading.series(*about, until, until + timedelta(days=1)) == []


durations = st.floats(min_value=0.001, max_value=1e9)
parts = st.lists(st.lists(durations, min_size=1, max_size=30), min_size=1, max_size=8)


@given(parts, st.floats(min_value=0, max_value=1))
def test_quantiles__after_the_whole_road__are_within_the_stated_error(
    parts: list[list[float]], share: float
) -> None:
    """However outcomes are spread over evaluators, minutes, batches and buckets."""
    sealer, row = Sealer(b"k" * 32), OutcomeBucket(durations={}, error_types={})
    for part in parts:
        minute = Outcomes()
        for duration in part:
            newer = Outcomes()
            newer.add((1, "service", "checkout", "2.0", False, 60), some(duration))
            assert minute.merge(newer) == 0
        for count, content in minute.close().contents():
            written = IntakeBatch(TELEMETRY, 60, 60, content, count).seal(sealer)
            opened = open_batch(TELEMETRY, written, sealer)
            assert opened
            for told in read_telemetry(opened):
                storing._add(row, told.counts)
                row.durations = orjson.loads(orjson.dumps(row.durations))
    exact = sorted(one for part in parts for one in part)
    found = Sketch.load(row.durations).quantile(share)
    assert found is not None
    rank = max(1, math.ceil(share * len(exact) - 1e-9))
    assert abs(found - exact[rank - 1]) <= exact[rank - 1] * (RELATIVE_ERROR + 1e-9)
    assert row.requests == len(exact)


def test_counts_beyond_all_measure__stop_and_lose_nobody_elses(development: Environment) -> None:
    a_service(development.project, "shop")
    now = clock.database_now()
    start = int(now.timestamp()) // 10 * 10
    huge = Counts(2**50, errors=2**50, error_types={"Timeout": 2**50})
    huge.merge(huge)
    place = (development.pk, "service", "shop", "1.0", False, start)
    other = (development.pk, "service", "shop", "2.0", False, start)
    minute = start - start % 60
    ((_count, content),) = write_telemetry([(place, huge), (other, Counts(5))])
    batch = IntakeBatch(TELEMETRY, minute, float(minute + 10), content, count=10)
    assert [told.place for told in read_telemetry(batch)] == [place, other]
    storing.store([ToldCounts(place, huge) for _again in range(9000)], now)
    row = OutcomeBucket.objects.get(version="1.0")
    assert (row.requests, row.errors, row.error_types) == (2**50, 2**50, {"Timeout": 2**50})
