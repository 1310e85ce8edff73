"""``POST /v1/metrics`` and ``/v1/traces``: what counts, what is rejected and why, and what else the
protocol wants of an answer."""

import gzip
import json
import math
import struct
import zlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import redis
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from flags.channel import POINTS, TELEMETRY, read_points, read_telemetry
from flags.channel.points import PointSeries, intervals_of
from flags.channel.telemetry import Counts
from flags.evaluator import otlp, otlp_metrics, otlp_points, otlp_sources, otlp_spans
from tests.flags.evaluator.publisher import Key, flag, for_country, new_key
from tests.flags.evaluator.servers import SNAPSHOT_KEY
from tests.flags.evaluator.shop import Shop
from tests.support import waiting_batches
from tests.support.otlp import (
    CHECKOUT,
    CUMULATIVE,
    FAILED,
    JSON,
    METRICS,
    OK,
    OLD_DURATION,
    PROTOBUF,
    SECOND,
    TRACES,
    evaluated,
    explicit,
    exponential,
    metric,
    metrics,
    now_ns,
    rejected,
    span,
    traces,
    written,
)
from tests.support.waiting import wait_until

CASES: Final = Path(__file__).parents[2] / "cases" / "evaluator"
BOTH = pytest.mark.parametrize("kind", [PROTOBUF, JSON])


@pytest.fixture(autouse=True)
def taken(redis_client: redis.Redis) -> None:
    """What came before is taken, as a worker would."""
    redis_client.delete(TELEMETRY.stream, POINTS.stream)


@pytest.fixture
def opened(shop: Shop, client_key: Key) -> Shop:
    named = flag("named", variants=[{"key": "on", "value": True, "served_as": "v1"}] * 1)
    named["variants"] = [*named["variants"], {"key": "off", "value": False}]  # type: ignore[misc]
    shop.open(flag("german", rules=for_country("DE")), named, keys=(client_key,))
    return shop


def post(
    shop: Shop,
    path: str,
    body: bytes,
    kind: str = PROTOBUF,
    *,
    key: Key | None = None,
    **headers: str,
) -> httpx.Response:
    token = (key or shop.key).token
    told = {"authorization": f"Bearer {token}", "content-type": kind}
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return shop.evaluator.http.post(path, content=body, headers=told | more)


def send(shop: Shop, request: Any, kind: str = PROTOBUF) -> tuple[int, str]:
    """How many were rejected, and why."""
    path = TRACES if "Trace" in type(request).__name__ else METRICS
    answer = post(shop, path, written(request, kind), kind)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind), answer.text
    return rejected(path, kind, answer.content)


def counted(client: redis.Redis, shop: Shop) -> dict[tuple[str, str], Counts]:
    """What waits for the worker and counts as it is, by name and version or variant."""
    found: dict[tuple[str, str], Counts] = defaultdict(Counts)
    for batch in waiting_batches.read(client, TELEMETRY, SNAPSHOT_KEY.encode()):
        for place, counts in read_telemetry(batch) if batch.content else ():
            if place[0] == shop.portal.environment_id:
                found[place[2], place[3]].merge(counts)
    return found


def arrive(client: redis.Redis, shop: Shop, total: int) -> dict[tuple[str, str], Counts]:
    wait_until(lambda: sum(one.requests for one in counted(client, shop).values()) >= total)
    return counted(client, shop)


def waiting(client: redis.Redis, shop: Shop) -> list[tuple[str, PointSeries]]:
    """Cumulative series that wait for the worker, each with its instance."""
    return [
        (report.source.instance, series)
        for batch in waiting_batches.read(client, POINTS, SNAPSHOT_KEY.encode())
        for report in read_points(batch)
        if report.source.environment_id == shop.portal.environment_id
        for series in report.series.values()
    ]


@BOTH
def test_deltas__are_counted_by_version_with_their_errors_and_their_bounds(
    opened: Shop, redis_client: redis.Redis, kind: str
) -> None:
    request = metrics(
        metric(
            explicit({0.25: 3, 0.5: 1, math.inf: 1}),
            explicit({0.25: 2}, FAILED | {"error.type": "Timeout"}),
            explicit({0.25: 4}, FAILED),
            explicit({0.25: 5}, {"http.response.status_code": 404, "error.type": "gone"}),
            explicit({0.25: 6}, {"error.type": "Reset"}),
        )
    )
    assert send(opened, request, kind) == (0, "")
    found = arrive(redis_client, opened, 22)["checkout", "2.0"]
    assert (found.requests, found.errors) == (22, 12)
    assert found.error_types == {"Timeout": 2, "500": 4, "Reset": 6}
    assert found.histogram == {"100:250": 20, "250:500": 1, "10000:inf": 1}
    assert not found.durations


@BOTH
def test_exponential_deltas__are_counted_by_the_intervals_of_their_scale(
    opened: Shop, redis_client: redis.Redis, kind: str
) -> None:
    coarse = exponential({-2: 3, 0: 4}, scale=0, zeros=2)
    fine = exponential({1024 * 32: 1}, FAILED, scale=15)  # 2 s, in buckets that nobody tells apart
    assert send(opened, metrics(metric(coarse, fine)), kind) == (0, "")
    found = arrive(redis_client, opened, 10)["checkout", "2.0"]
    upper = f"{2000 * 2 ** (1 / 32):.9g}"
    assert found.histogram == {"0:1e-06": 2, "250:500": 3, "1000:2000": 4, f"2000:{upper}": 1}
    assert (found.requests, found.errors) == (10, 1)


@BOTH
def test_a_delta__counts_where_it_began(opened: Shop, redis_client: redis.Redis, kind: str) -> None:
    at = now_ns()
    began = at - 65 * SECOND
    assert send(opened, metrics(metric(explicit({0.1: 1}, began=began, at=at))), kind) == (0, "")
    arrive(redis_client, opened, 1)
    batches = waiting_batches.read(redis_client, TELEMETRY, SNAPSHOT_KEY.encode())
    rows = [place for batch in batches for place, _counts in read_telemetry(batch)]
    (start,) = (one[5] for one in rows if one[0] == opened.portal.environment_id)
    assert start == began // SECOND // 10 * 10


def test_a_delta_that_is_sent_again__counts_once(opened: Shop, redis_client: redis.Redis) -> None:
    at = now_ns()
    one = metric(explicit({0.1: 1}, at=at))
    again, later = metrics(one), metrics(metric(explicit({0.1: 2}, at=at + 1)))
    with_more = metrics(one, metric(explicit({0.1: 4}, FAILED, at=at)))
    for request in (again, again, later, later, with_more):
        assert send(opened, request) == (0, "")
    assert arrive(redis_client, opened, 7)["checkout", "2.0"].requests == 7
    last = metrics(metric(explicit({0.1: 8}, at=at + 2)))
    assert send(opened, last) == (0, "")
    assert arrive(redis_client, opened, 15)["checkout", "2.0"].requests == 15


@BOTH
def test_cumulative_points__go_up_as_the_newest_of_each_series_and_start(
    opened: Shop, redis_client: redis.Redis, kind: str
) -> None:
    at = now_ns()
    began = at - 600 * SECOND
    points = [
        explicit({0.1: 5}, began=began, at=at - 20 * SECOND),
        explicit({0.1: 9, 0.5: 1}, began=began, at=at),
        explicit({0.1: 7}, began=began, at=at - 10 * SECOND),
        explicit({0.1: 2}, FAILED, began=began, at=at),
    ]
    others = [explicit({0.1: 1}, began=at - SECOND, at=at)]
    for some in ([points[0], points[3]], [points[2]], [points[1]], others):
        assert send(opened, metrics(metric(*some, temporality=CUMULATIVE)), kind) == (0, "")
    newest: dict[tuple[bool, int], dict[str, int]] = {}

    def seen() -> bool:
        for instance, series in waiting(redis_client, opened):
            assert (instance, series.is_shared) == ("one", False)
            newest.update(
                {(series.is_error, start): intervals_of(p) for start, p in series.points.items()}
            )
        return newest == {
            (False, began): {"75:100": 9, "250:500": 1},
            (False, at - SECOND): {"75:100": 1},
            (True, began): {"75:100": 2},
        }

    wait_until(seen)


def test_a_series_whose_counts_go_down__is_found_to_be_shared(
    opened: Shop, redis_client: redis.Redis
) -> None:
    at = now_ns()
    began = at - 600 * SECOND
    points = [
        explicit({0.1: count}, began=began, at=at + number) for number, count in ((0, 100), (1, 5))
    ]
    assert send(opened, metrics(metric(*points, temporality=CUMULATIVE))) == (0, "")
    wait_until(lambda: any(one.is_shared for _name, one in waiting(redis_client, opened)))
    ((_name, series),) = waiting(redis_client, opened)
    assert [one.total for one in series.points.values()] == [100]


def agent(name: str) -> bytes:
    """A request of the Java agent, with the times of now: written by hand after what versions 1 and
    2 of it send, for there is none here that could be recorded."""
    raw, at = (CASES / f"java_agent_{name}.bin").read_bytes(), now_ns()
    times = {1764547200000000000: at - 60 * SECOND, 1764547260000000000: at}
    for old, new in times.items():
        assert struct.pack("<Q", old) in raw
        raw = raw.replace(struct.pack("<Q", old), struct.pack("<Q", new))
    return raw


def test_the_java_agent__is_understood(opened: Shop, redis_client: redis.Redis) -> None:
    for name in ("cumulative", "exponential_delta", "1_x_old_names"):
        answer = post(opened, METRICS, agent(name))
        assert (answer.status_code, answer.content) == (200, b"")
    found = arrive(redis_client, opened, 100)["checkout", "2.0"]
    assert (found.requests, found.errors) == (100, 1)
    assert found.error_types == {"java.lang.IllegalStateException": 1}
    wait_until(lambda: len(waiting(redis_client, opened)) >= 2)
    points = {
        (series.is_error, series.error_type): intervals_of(point)
        for _name, series in waiting(redis_client, opened)
        for point in series.points.values()
    }
    assert points == {
        (False, ""): {"5:10": 40, "10:25": 50, "100:250": 7, "750:1000": 3},
        (True, "503"): {"0:5": 4, "1000:2500": 1},
    }


def test_old_names__count_where_nothing_is_sent_under_the_new_ones(
    opened: Shop, redis_client: redis.Redis
) -> None:
    old = metric(
        explicit({25: 3}, {"http.status_code": 500}, bounds=(0, 5, 25)),
        name=OLD_DURATION,
        unit="ms",
    )
    new = metric(explicit({0.025: 3}, FAILED))
    both = CHECKOUT | {"service.instance.id": "both"}
    assert send(opened, metrics(old)) == (0, "")
    assert send(opened, metrics(old, new, resource=both)) == (0, "")
    assert send(opened, metrics(old, resource=both)) == (0, "")
    found = arrive(redis_client, opened, 6)["checkout", "2.0"]
    assert (found.requests, found.errors) == (6, 6)
    assert found.histogram == {"5:25": 3, "10:25": 3}


def test_other_metrics__are_taken_and_not_counted(opened: Shop, redis_client: redis.Redis) -> None:
    gauge = metric(NumberDataPoint(as_int=7), name="jvm.threads", unit="")
    assert send(opened, metrics(gauge, metric(explicit({0.1: 1})))) == (0, "")
    assert arrive(redis_client, opened, 1)["checkout", "2.0"].requests == 1


HOUR = 3600 * SECOND


def wrong_points() -> list[tuple[str, list[Any], dict[str, Any]]]:
    """What is rejected, with the reason and how its metric is changed."""
    now = now_ns()
    raw: Any = {"count": 4}
    return [
        (otlp_metrics.FUTURE, [explicit({0.1: 1}, at=now + 90 * SECOND)], {}),
        (otlp_metrics.FUTURE, [explicit({0.1: 1}, at=2**63)], {}),
        (otlp_metrics.PAST, [explicit({0.1: 1}, at=now - HOUR)], {}),
        (otlp_metrics.PAST, [explicit({0.1: 1}, began=now - HOUR)], {}),
        (otlp_metrics.PAST, [explicit({0.1: 1}, at=now - HOUR)], {"temporality": CUMULATIVE}),
        (otlp_metrics.BACKWARDS, [explicit({0.1: 1}, began=now, at=now - 1)], {}),
        (otlp_metrics.NO_TEMPORALITY, [explicit({0.1: 1})], {"temporality": 0}),
        (otlp_points.SUM, [explicit({0.1: 1}, sum=math.nan)], {}),
        (otlp_points.SUM, [explicit({0.1: 1}, sum=-1.0)], {}),
        (otlp_points.SUM, [exponential({1: 1}, sum=math.inf)], {}),
        (otlp_points.BUCKETS, [explicit({0.1: 1}, **raw)], {}),
        (otlp_points.BUCKETS, [exponential({1: 1}, **raw)], {}),
        (otlp_points.COUNT, [explicit({0.1: 2**51})], {}),
        (otlp_points.BOUNDS, [explicit({math.inf: 1}, bounds=(1, 1))], {}),
        (otlp_points.BOUNDS, [explicit({math.inf: 1}, bounds=(2, 1))], {}),
        (otlp_points.BOUNDS, [explicit({math.inf: 1}, bounds=(1, math.nan))], {}),
        (otlp_points.BOUNDS, [explicit({0.1: 1}, explicit_bounds=[1, 2])], {}),
        (otlp_points.SCALE, [exponential({1: 1}, scale=21)], {}),
        (otlp_points.SCALE, [exponential({1: 1}, scale=-11)], {}),
        (
            otlp_metrics.NO_HISTOGRAM.format(OLD_DURATION),
            [NumberDataPoint()],
            {"name": OLD_DURATION},
        ),
        (
            otlp_sources.NO_UNIT.format(OLD_DURATION),
            [explicit({0.1: 1})],
            {"name": OLD_DURATION, "unit": "furlong"},
        ),
    ]


def test_points_that_say_something_impossible__are_rejected_alone(opened: Shop) -> None:
    for number, (reason, points, changes) in enumerate(wrong_points()):
        own = CHECKOUT | {"service.instance.id": f"wrong {number}"}
        good = metric(explicit({0.1: 1}, {"http.route": "/good"}))
        request = metrics(metric(*points, **changes), good, resource=own)
        assert send(opened, request) == (1, f"1 x {reason}"), reason


WRONG_RESOURCES: Final[list[tuple[Mapping[str, object], str]]] = [
    ({"service.version": "2.0"}, otlp_sources.NO_SERVICE),
    (CHECKOUT | {"service.name": "unknown_service:python"}, otlp_sources.NO_SERVICE),
    ({"service.name": "checkout"}, otlp_sources.NO_VERSION),
    (CHECKOUT | {"service.version": "x" * 101}, "service.version must be a text of 1 to 100"),
    (CHECKOUT | {"service.name": "a\nb"}, "service.name must be a text"),
    (CHECKOUT | {"deployment.environment.name": "staging"}, "is of the environment 'staging'"),
    (CHECKOUT | {"deployment.environment": "staging"}, "is of the environment 'staging'"),
]


@pytest.mark.parametrize(("resource", "reason"), WRONG_RESOURCES)
def test_a_resource_that_names_nothing_that_is_released_here__is_rejected(
    opened: Shop, resource: Mapping[str, object], reason: str
) -> None:
    points = [explicit({0.1: 1}), explicit({0.1: 1}, FAILED)]
    number, told = send(opened, metrics(metric(*points), resource=resource))
    assert number == 2
    assert reason in told


def test_a_resource_of_this_environment__is_taken(opened: Shop) -> None:
    own = opened.portal.environment
    for name in ("deployment.environment.name", "deployment.environment"):
        resource = CHECKOUT | {name: own.upper()}
        assert send(opened, metrics(metric(explicit({0.1: 1})), resource=resource)) == (0, "")


def test_a_series_of_both_temporalities__is_rejected_where_it_changes(opened: Shop) -> None:
    assert send(opened, metrics(metric(explicit({0.1: 1}), temporality=CUMULATIVE))) == (0, "")
    reason = otlp_sources.MIXED.format("cumulative")
    assert send(opened, metrics(metric(explicit({0.1: 1})))) == (1, f"1 x {reason}")
    assert send(opened, metrics(metric(explicit({0.1: 1}, FAILED)))) == (0, "")


def test_the_reasons__are_counted_and_the_commonest_come_first(opened: Shop) -> None:
    at = now_ns()
    late = [explicit({0.1: 1}, {"http.route": str(n)}, at=at + 90 * SECOND) for n in range(3)]
    request = metrics(metric(*late, explicit({0.1: 1}, sum=-1.0)))
    assert send(opened, request) == (4, f"3 x {otlp_metrics.FUTURE}; 1 x {otlp_points.SUM}")


def in_json(**changes: Any) -> bytes:
    document = json.loads(written(metrics(metric(explicit({0.1: 1}))), JSON))
    found = document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["histogram"]
    found["dataPoints"][0] |= changes
    return json.dumps(document).encode()


def test_json__may_write_numbers_as_texts_or_not_and_grow_fields(opened: Shop) -> None:
    same = [in_json(count=1, sum="0.1", newField={"a": [1]}), in_json(count="1", flags=None)]
    for body in same:
        answer = post(opened, METRICS, body, JSON)
        assert (answer.status_code, answer.content) == (200, b"{}")
    negative = post(opened, METRICS, in_json(count="-1"), JSON)
    assert rejected(METRICS, JSON, negative.content) == (1, f"1 x {otlp_points.COUNT}")
    nan = post(opened, METRICS, in_json(sum="NaN"), JSON)
    assert rejected(METRICS, JSON, nan.content) == (1, f"1 x {otlp_points.SUM}")


UNDECODABLE: Final[list[tuple[str, bytes]]] = [
    (PROTOBUF, b"\xff\xff\xff"),
    (PROTOBUF, b"\x0a\xff\xff\xff\xff\x0f"),
    (PROTOBUF, b"\x0b"),
    (PROTOBUF, b'{"resourceMetrics": []}'),
    (PROTOBUF, written(metrics(metric(explicit({0.1: 1}))))[:-3]),
    (JSON, b"\x0a\x00"),
    (JSON, b"[]"),
    (JSON, b'{"resourceMetrics": [7]}'),
    (JSON, b'{"resourceMetrics": {"a": 1}}'),
    (JSON, b"[" * 100_000),
    (JSON, in_json(count=1.5)),
    (JSON, in_json(count=[])),
    (JSON, in_json(bucketCounts="many")),
    (JSON, in_json(attributes=[7])),
    (JSON, in_json(timeUnixNano="soon")),
]


@pytest.mark.parametrize(("kind", "body"), UNDECODABLE)
def test_what_cannot_be_decoded__is_refused_for_good(opened: Shop, kind: str, body: bytes) -> None:
    for path in (METRICS, TRACES) if kind == JSON and body.startswith(b"[") else (METRICS,):
        answer = post(opened, path, body, kind)
        assert (answer.status_code, answer.headers["content-type"]) == (400, kind)
        code, details = status_of(answer)
        assert code == 3
        assert "the body is not" in details


def status_of(answer: httpx.Response) -> tuple[int, str]:
    """Code and message of a Status, in either encoding."""
    if answer.headers["content-type"] == JSON:
        told = answer.json()
        assert told.keys() == {"code", "message"}
        return told["code"], told["message"]
    body = answer.content
    assert (body[0], body[2]) == (8, 0x12)
    text = body[4:] if body[3] < 128 else body[5:]
    size = body[3] if body[3] < 128 else (body[3] & 127) + 128 * body[4]
    assert len(text) == size
    return body[1], text.decode()


def test_nothing_of_a_request_that_ends_in_rubbish__is_counted(
    opened: Shop, redis_client: redis.Redis
) -> None:
    good = written(metrics(metric(explicit({0.1: 1}))))
    assert post(opened, METRICS, good + b"\xff").status_code == 400
    assert send(opened, metrics(metric(explicit({0.1: 2}, FAILED)))) == (0, "")
    assert arrive(redis_client, opened, 2)["checkout", "2.0"].requests == 2


@BOTH
def test_gzip__is_unpacked(opened: Shop, redis_client: redis.Redis, kind: str) -> None:
    raw = written(metrics(metric(explicit({0.1: 1}))), kind)
    half = len(raw) // 2
    joined = gzip.compress(raw[:half]) + gzip.compress(raw[half:])
    for body in (gzip.compress(raw), joined):
        assert post(opened, METRICS, body, kind, content_encoding="gzip").status_code == 200
    assert arrive(redis_client, opened, 1)["checkout", "2.0"].requests == 1
    packed = gzip.compress(raw)
    for bad in (b"", raw, packed[:-1], packed + b"x", gzip.compress(b"") * 200):
        answer = post(opened, METRICS, bad, kind, content_encoding="gzip")
        assert (answer.status_code, status_of(answer)) == (400, (3, otlp.NOT_GZIP))


def bomb(size: int) -> bytes:
    stream = zlib.compressobj(9, wbits=31)
    found = [stream.compress(bytes(2**20)) for _part in range(size // 2**20)]
    return b"".join(found) + stream.flush()


def test_what_is_too_large__packed_or_not__is_refused_for_good(opened: Shop) -> None:
    plain = post(opened, METRICS, bytes(5 * 2**20))
    packed = post(opened, METRICS, bomb(1000 * 2**20), content_encoding="gzip")
    for answer in (plain, packed):
        assert (answer.status_code, status_of(answer)[0]) == (413, 8)
    assert "once it is unpacked" in status_of(packed)[1]
    assert opened.ask("german").status_code == 200


def test_refusals__are_a_status_in_the_encoding_that_was_sent(
    opened: Shop, client_key: Key
) -> None:
    body = written(metrics(metric(explicit({0.1: 1}))))
    http_client = opened.evaluator.http
    found = {
        401: http_client.post(METRICS, content=body, headers={"content-type": PROTOBUF}),
        403: post(opened, METRICS, body, key=client_key),
        405: http_client.get(METRICS),
        415: post(opened, METRICS, body, "text/plain"),
    }
    codes = {status: status_of(answer)[0] for status, answer in found.items()}
    assert {status: one.status_code for status, one in found.items()} == {s: s for s in found}
    assert codes == {401: 16, 403: 7, 405: 12, 415: 3}
    assert found[401].headers["content-type"] == PROTOBUF
    packed = post(opened, METRICS, body, content_encoding="br")
    assert (packed.status_code, status_of(packed)[0]) == (415, 3)


def test_a_key_beyond_its_rate__is_told_when_to_come_again(shop: Shop) -> None:
    slow = new_key(rate=1)
    shop.open(keys=(slow,))
    body = written(metrics(metric(explicit({0.1: 1}))))
    answers = [post(shop, METRICS, body, key=slow) for _time in range(3)]
    refused = answers[-1]
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["content-type"] == PROTOBUF
    assert status_of(refused)[0] == 8


def test_a_request_of_very_many_points__is_read_in_pieces_and_bounded(
    opened: Shop, redis_client: redis.Redis
) -> None:
    at = now_ns()
    many = [explicit({0.1: 1}, {"http.route": str(n)}, at=at) for n in range(3_000)]
    for kind in (PROTOBUF, JSON):
        own = CHECKOUT | {"service.instance.id": kind}
        assert send(opened, metrics(metric(*many), resource=own), kind) == (0, "")
    assert arrive(redis_client, opened, 6_000)["checkout", "2.0"].requests == 6_000
    tiny = written(metrics(metric(*[explicit({}, {}, bounds=())] * 50_001)))
    answer = post(opened, METRICS, gzip.compress(tiny), content_encoding="gzip")
    assert answer.status_code == 413
    assert "at most 50000 points" in status_of(answer)[1]


@BOTH
def test_an_instance_with_too_many_series__has_the_rest_rejected(opened: Shop, kind: str) -> None:
    at, most = now_ns(), otlp_sources.MOST_SERIES
    many = [explicit({}, {"user": n}, at=at, bounds=()) for n in range(most + 5)]
    half = len(many) // 2
    first = send(opened, metrics(metric(*many[:half])), kind)
    assert first == (0, "")
    told = send(opened, metrics(metric(*many[half:])), kind)
    assert told == (5, f"5 x {otlp_sources.TOO_MANY_SERIES}")
    assert send(opened, metrics(metric(*many[:half])), kind) == (0, "")


@BOTH
def test_spans_with_evaluations__are_outcomes_of_the_variants_that_were_served(
    opened: Shop, redis_client: redis.Redis, kind: str
) -> None:
    spans = [
        span(evaluated("german", "on"), took_ms=40),
        span(evaluated("german", "on"), evaluated("german", "on"), is_error=True),
        span(evaluated("german", "off"), evaluated("named", "v1"), attributes=FAILED),
        span(evaluated("named", "off", old=True), attributes=OK | {"error.type": "none"}),
        span(attributes=FAILED),
        span(Span.Event(name="exception")),
        span(evaluated("german", "on", more={"error.type": "flag_not_found"})),
    ]
    assert send(opened, traces(*spans), kind) == (0, "")
    found = arrive(redis_client, opened, 5)
    counts = {key: (one.requests, one.errors) for key, one in found.items()}
    assert counts == {
        ("german", "on"): (2, 1),
        ("german", "off"): (1, 1),
        ("named", "on"): (1, 1),
        ("named", "off"): (1, 0),
    }
    assert found["german", "off"].error_types == {"500": 1}
    assert sum(found["german", "on"].durations.values()) == 2


def test_spans__are_rejected_where_they_say_something_impossible(opened: Shop) -> None:
    now = now_ns()
    bad = [
        (span(evaluated("none", "on")), "there is no flag 'none' here"),
        (span(evaluated("german", "up")), "the flag 'german' has no variant 'up'"),
        (span(evaluated("german", "on"), at=now - HOUR), otlp_spans.PAST),
        (span(evaluated("german", "on"), at=now + HOUR), otlp_spans.FUTURE),
        (span(evaluated("german", "on"), took_ms=-1), otlp_spans.BACKWARDS),
        (span(evaluated("german", "on", more={"padding": "x" * 70_000})), otlp_spans.LARGE),
    ]
    for one, reason in bad:
        assert send(opened, traces(one, span(evaluated("german", "on")))) == (1, f"1 x {reason}")
    elsewhere = CHECKOUT | {"deployment.environment.name": "staging"}
    number, told = send(opened, traces(span(evaluated("german", "on")), resource=elsewhere))
    assert number == 1
    assert "staging" in told


def test_spans_that_are_sent_again__count_once(opened: Shop, redis_client: redis.Redis) -> None:
    request = traces(span(evaluated("german", "on")))
    for _time in range(3):
        assert send(opened, request) == (0, "")
    assert arrive(redis_client, opened, 1)["german", "on"].requests == 1
