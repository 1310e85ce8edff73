"""OpenTelemetry: how many points one core takes, what that does to those who evaluate, and what the
worker makes of them."""

import gzip
import json
import os
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import lines_of, start_django
from bench.evaluator import (
    ROUNDS,
    SERVER_CORE,
    Load,
    free_port,
    installation,
    load,
    pinned,
    wait_for,
)
from bench.telemetry import Bench
from portal.supervisor.supervised import Process, Supervisor

POINTS: Final = 1_000
WANTED: Final = 50_000
SENDERS: Final = 4
# Requests that are sent in turn, each with later times than the one before.
REQUESTS: Final = 40
# What the worker gets: so many instances, each with so many series.
INSTANCES: Final = 50
SERIES: Final = 200
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Kind:
    """What is sent, and how many points a second the bar asks for."""

    title: str
    wanted: int = WANTED
    is_delta: bool = False
    is_exponential: bool = False
    content_type: str = PROTOBUF
    is_gzip: bool = False

    def bodies(self) -> list[bytes]:
        return [self._body(number) for number in range(REQUESTS)]

    def _body(self, number: int) -> bytes:
        request = metrics(
            number, self.title, is_delta=self.is_delta, is_exponential=self.is_exponential
        )
        if self.content_type == JSON:
            from google.protobuf import json_format

            text = json_format.MessageToJson(request, indent=None, use_integers_for_enums=True)
            raw = text.encode()
        else:
            raw = request.SerializeToString()
        return gzip.compress(raw) if self.is_gzip else raw


KINDS: Final = (
    Kind("cumulative"),
    Kind("delta", is_delta=True),
    Kind("delta, gzip", is_delta=True, is_gzip=True),
    Kind("exponential, 70 buckets, delta", 25_000, is_delta=True, is_exponential=True),
    Kind("JSON, delta", 15_000, is_delta=True, content_type=JSON),
)


def metrics(number: int, instance: str, *, is_delta: bool, is_exponential: bool) -> Any:
    """A request such as an SDK sends: one instance, a point for each route, method and status."""
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service
    from opentelemetry.proto.metrics.v1 import metrics_pb2 as proto

    now = time.time_ns() - (REQUESTS - number) * 10**8
    temporality: Any = 1 if is_delta else 2
    times = {"start_time_unix_nano": now - 10**8 if is_delta else 10**9, "time_unix_nano": now}
    points = [
        _point(proto, times, route, 1 if is_delta else number + 1, is_exponential)
        for route in range(POINTS)
    ]
    if is_exponential:
        data = {
            "exponential_histogram": proto.ExponentialHistogram(
                data_points=points, aggregation_temporality=temporality
            )
        }
    else:
        data = {
            "histogram": proto.Histogram(data_points=points, aggregation_temporality=temporality)
        }
    metric = proto.Metric(name="http.server.request.duration", unit="s", **data)
    resource = proto.ResourceMetrics(scope_metrics=[proto.ScopeMetrics(metrics=[metric])])
    names = {"service.name": "checkout", "service.version": "2.0", "service.instance.id": instance}
    resource.resource.attributes.extend(_attributes(names))
    return service.ExportMetricsServiceRequest(resource_metrics=[resource])


def _point(
    proto: Any, times: dict[str, int], route: int, times_counted: int, is_exponential: bool
) -> Any:
    attributes = _attributes(
        {
            "http.request.method": "GET",
            "http.route": f"/orders/{route}",
            "http.response.status_code": 500 if route % 20 == 0 else 200,
            "url.scheme": "http",
            "network.protocol.version": "1.1",
        }
    )
    if is_exponential:
        buckets = proto.ExponentialHistogramDataPoint.Buckets(
            offset=-40, bucket_counts=[times_counted] * 70
        )
        return proto.ExponentialHistogramDataPoint(
            attributes=attributes, count=70 * times_counted, scale=3, positive=buckets, **times
        )
    counts = [times_counted * one for one in (0, 0, 1, 5, 20, 30, 10, 4, 0, 0, 0, 0, 0, 0, 0)]
    return proto.HistogramDataPoint(
        attributes=attributes,
        count=sum(counts),
        sum=7.0,
        bucket_counts=counts,
        explicit_bounds=BOUNDS,
        **times,
    )


def _attributes(values: dict[str, Any]) -> list[Any]:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    return [
        KeyValue(
            key=key,
            value=AnyValue(int_value=one) if isinstance(one, int) else AnyValue(string_value=one),
        )
        for key, one in values.items()
    ]


def run() -> list[str]:
    """Measure; returns the lines of Markdown tables."""
    supervisor = Supervisor()
    with tempfile.TemporaryDirectory(prefix="aviary-bench-") as folder:
        try:
            return _measure(supervisor, Path(folder))
        finally:
            supervisor.stop()


def _measure(supervisor: Supervisor, folder: Path) -> list[str]:
    token, port = installation(supervisor, folder), free_port()
    command = pinned(SERVER_CORE, [sys.executable, "-m", "flags.evaluator"])
    supervisor.start(Process("evaluator", command, {"EVALUATOR_PORT": str(port)}))
    url = f"http://127.0.0.1:{port}"
    wait_for(f"{url}/ready")
    bench = Bench(url, {"Authorization": f"Bearer {token}", "Content-Type": JSON})
    lines = ["| points, one core | per second | bar |", "| --- | ---: | ---: |"]
    for kind in KINDS:
        found = max(_send(bench, kind, folder).requests_per_s for _round in range(ROUNDS))
        lines.append(f"| {kind.title} | {POINTS * found:,.0f} | {kind.wanted:,} |")
    return [*lines, "", *_beside(bench, folder), "", *lines_of("bench.otlp", "SQLite")]


def _worker(name: str) -> Iterator[str]:
    """What the worker makes of the cumulative points of fifty instances, each of all its series."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from flags.channel import SourceReport
    from flags.channel.points import Layout, MetricSource, Point, PointSeries, series_id
    from portal.access.services import create_project
    from portal.lib import clock, journal
    from portal.lib.journal import Intent
    from releases.catalogue import services
    from releases.telemetry import points

    by = Intent(journal.system("bench"))
    project = create_project(key="shop", name="Shop", intent=by)
    services.put_service(project=project, key="checkout", name="Checkout", owners=[], intent=by)
    place, layout = project.environments.get(key="development"), Layout(None, BOUNDS)
    took = []
    for number in range(4):
        now = clock.now()
        at = int(now.timestamp()) * 10**9
        counts = {bucket: (number + 1) * bucket for bucket in range(2, 9)}
        series = {
            series_id(route): PointSeries(
                False, "", {10**9: Point(10**9, at, sum(counts.values()), layout, counts)}
            )
            for route in range(SERIES)
        }
        sources = (MetricSource(place.pk, "checkout", "2.0", str(one)) for one in range(INSTANCES))
        reports = [SourceReport(source, series, at // 10**9) for source in sources]
        began = time.perf_counter()
        for report in reports:
            points.store([report], now)
        took.append(time.perf_counter() - began)
        time.sleep(1)
    rate = INSTANCES * SERIES / min(took[1:])
    yield f"The worker counts {rate:,.0f} cumulative points a second on {name}."


def _beside(bench: Bench, folder: Path) -> list[str]:
    alone = bench.evaluate()
    lines = ["| evaluations beside | p50 | p99 | of alone |", "| --- | ---: | ---: | ---: |"]
    lines.append(f"| nothing | {alone.p50_ms:.2f} ms | {alone.p99_ms:.2f} ms | |")
    for title, disturb in _disturbances(bench, folder):
        found = []
        for _round in range(ROUNDS):
            with disturb():
                found.append(bench.evaluate_once())
        one = min(found, key=lambda load: load.p99_ms)
        times = f"{one.p99_ms / alone.p99_ms:.1f} x"
        lines.append(f"| {title} | {one.p50_ms:.2f} ms | {one.p99_ms:.2f} ms | {times} |")
    return lines


def _disturbances(bench: Bench, folder: Path) -> Iterator[tuple[str, Any]]:
    pause_ms = round(800 * SENDERS * POINTS / (WANTED / 2))

    @contextmanager
    def points() -> Iterator[None]:
        with ThreadPoolExecutor(1) as beside:
            sent = beside.submit(_send, bench, KINDS[0], folder, pause_ms)
            yield
            sent.result()

    yield f"about {WANTED // 2:,} points/s", points
    bomb = gzip.compress(bytes(1_000 * 2**20))
    for title, body, headers in (
        ("bodies of 100 MB, one after another", bytes(100 * 2**20), {}),
        ("gzip bombs of 1 GB, one after another", bomb, {"Content-Encoding": "gzip"}),
    ):

        @contextmanager
        def attack(body: bytes = body, headers: dict[str, str] = headers) -> Iterator[None]:
            over = threading.Event()
            with ThreadPoolExecutor(1) as beside:
                sent = beside.submit(_attack, bench, body, headers, over)
                yield
                over.set()
                sent.result()

        yield title, attack


def _attack(bench: Bench, body: bytes, headers: dict[str, str], over: threading.Event) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {1})  # this thread: away from the server's core
    told = {**bench.headers, "Content-Type": PROTOBUF, **headers}
    while not over.is_set():
        request = urllib.request.Request(bench.url + "/v1/metrics", body, told)  # noqa: S310 - ours
        try:
            urllib.request.urlopen(request, timeout=20).close()  # noqa: S310 - ours
        except urllib.error.HTTPError as refused:
            if refused.code != 413:
                raise
        except OSError:
            pass  # the connection was closed before all of the body was sent


def _send(bench: Bench, kind: Kind, folder: Path, pause_ms: int = 0) -> Load:
    headers = {**bench.headers, "Content-Type": kind.content_type}
    if kind.is_gzip:
        headers["Content-Encoding"] = "gzip"
    for number, body in enumerate(kind.bodies()):
        (folder / f"body-{number}").write_bytes(body)
    lines = [
        "local bodies, at = {}, 0",
        f"for i = 0, {REQUESTS - 1} do",
        f"  local file = io.open({json.dumps(str(folder))} .. '/body-' .. i, 'rb')",
        "  bodies[i] = file:read('*a')",
        "  file:close()",
        "end",
        "function request()",
        f"  at = (at + 1) % {REQUESTS}",
        "  return wrk.format('POST', nil, nil, bodies[at])",
        "end",
        *(f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}" for k, v in headers.items()),
    ]
    if pause_ms:
        lines.append(f"function delay() return {pause_ms} end")
    found = load(bench.url + "/v1/metrics", "\n".join(lines), connections=SENDERS)
    request = urllib.request.Request(bench.url + "/v1/metrics", kind.bodies()[-1], headers)  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - ours
        told = answer.read()
    if found.errors or told not in (b"", b"{}"):
        raise RuntimeError(f"not everything was taken: {told!r}")
    return found


def _main(name: str) -> None:
    start_django()
    print(json.dumps(list(_worker(name))))


if __name__ == "__main__":
    _main(sys.argv[1])
