"""Stock OpenTelemetry SDKs in processes of their own, sending to real evaluators, up to what a
check is given and a page says."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from itertools import cycle
from pathlib import Path
from string import Template
from typing import Any, Final

import pytest
from django.test import Client
from django.urls import reverse

from flags.models import Flag
from portal.access.models import Environment, User
from releases.core.descriptions import metrics_words
from releases.telemetry import points, reading
from releases.telemetry.models import TelemetrySource
from tests.flags.evaluator.servers import ROOT, EvaluatorProcess
from tests.releases.telemetry.conftest import Application, application, arrived, told
from tests.releases.web.looking import text
from tests.support.http_server import Behaviour, serving
from tests.support.releasing import a_service
from tests.support.settings_env import SECRETS
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("otlp")]
HERE: Final = Path(__file__).parent
GUIDE: Final = ROOT / "docs" / "telemetry.md"
OK: Final = {"http.request.method": "GET", "http.response.status_code": 200}
FAILED: Final = OK | {"http.response.status_code": 503, "error.type": "Overloaded"}
COMMANDS: Final = {
    "python": [sys.executable, str(HERE / "otel_app.py")],
    "node": ["node", str(HERE / "otel_app.mjs")],
}


@dataclass
class Process:
    """An application with an SDK, as somebody starts it."""

    running: "subprocess.Popen[str]"

    def serve(self, *requests: tuple[float, Mapping[str, object]], **more: Any) -> None:
        """Answer requests, each in so many seconds, and export."""
        assert self.running.stdin
        assert self.running.stdout
        self.running.stdin.write(json.dumps({"requests": requests, **more}) + "\n")
        self.running.stdin.flush()
        assert self.running.stdout.readline() == "done\n"

    def stop(self) -> None:
        """Killed: nothing more is exported."""
        self.running.kill()
        self.running.wait()
        for pipe in (self.running.stdin, self.running.stdout):
            assert pipe
            pipe.close()


Start = Callable[..., Process]


def printed(**values: str) -> dict[str, str]:
    """The variables that the guide prints."""
    (block,) = re.findall(r"```env\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return dict(line.split("=", 1) for line in Template(block).substitute(values).splitlines())


@pytest.fixture
def app(
    published_evaluator: EvaluatorProcess, production: Environment, new_checkout: Flag
) -> Application:
    a_service(production.project)
    return application(published_evaluator, production)


@pytest.fixture
def start(app: Application) -> Iterator[Start]:
    """Starts an application with the variables that the guide names."""
    found: list[Process] = []

    def begin(
        sdk: str = "python", instance: str = "one", evaluator: str = "", **settings: str
    ) -> Process:
        named = {
            **printed(AVIARY_EVALUATOR=evaluator or app.evaluator.url, AVIARY_KEY=app.token),
            "OTEL_METRIC_EXPORT_INTERVAL": "3600000",  # it is told when
            **settings,
        }
        named["OTEL_RESOURCE_ATTRIBUTES"] += f",service.instance.id={instance}"
        running = subprocess.Popen(
            COMMANDS[sdk],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "", **named},
        )
        found.append(Process(running))
        return found[-1]

    yield begin
    for one in found:
        if one.running.returncode is None:
            one.stop()


DELTA: Final = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}
EXPONENTIAL: Final = {
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"
}
GZIP: Final = {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
IN_JSON: Final = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}
SETUPS: Final[list[tuple[str, dict[str, str]]]] = [
    ("python", {}),
    ("python", DELTA),
    ("python", EXPONENTIAL | GZIP),
    ("python", DELTA | EXPONENTIAL),
    ("node", GZIP),
    ("node", DELTA | IN_JSON),
    ("node", EXPONENTIAL | IN_JSON | GZIP),
    ("node", DELTA | EXPONENTIAL),
]
NAMES: Final = [
    " ".join([sdk, *sorted({one.lower() for one in settings.values()})]) for sdk, settings in SETUPS
]


@pytest.mark.parametrize(("sdk", "settings"), SETUPS, ids=NAMES)
def test_what_an_sdk_measured__is_what_a_check_is_given(
    start: Start, production: Environment, sdk: str, settings: dict[str, str]
) -> None:
    if not shutil.which(COMMANDS[sdk][0]):
        pytest.skip("there is no node")
    shop = start(sdk, **settings)
    shop.serve(*[(0.2, OK)] * 30, (0.7, FAILED))
    shop.serve(*[(0.2, OK)] * 10, *[(3, OK)] * 5, (0.7, FAILED))
    shop.serve()
    shop.serve((0.2, OK))
    found = arrived(production, "2.0", 48)
    assert (found.errors, found.error_types) == (2, {"Overloaded": 2})
    assert found.timed == 48
    p50, p95 = found.quantile(0.5), found.quantile(0.95)
    assert p50
    assert p95
    assert p50[0] < 200 <= p50[1]
    assert p95[0] < 3000 <= p95[1]
    width = 1.1 if EXPONENTIAL.keys() <= settings.keys() else 2.5
    assert p50[1] / p50[0] <= width + 1e-9
    if width == 2.5:
        assert found.slower_than(1000) == (5, 5)
        assert found.slower_than(600) == (5, 7)


def test_counters_that_begin_anew__go_on_being_counted(
    start: Start, production: Environment
) -> None:
    first = start()
    first.serve(*[(0.2, OK)] * 30)
    first.stop()
    second = start()
    second.serve(*[(0.2, OK)] * 4)
    second.serve((0.2, OK))
    assert arrived(production, "2.0", 35).errors == 0


def test_several_instances__that_export_to_several_evaluators__add_up(
    start: Start, app: Application, production: Environment
) -> None:
    """Each export may come to another evaluator, as behind a load balancer."""
    served: list[int] = []
    with app.evaluator.another(SNAPSHOT_KEY=SECRETS["SNAPSHOT_KEY"]) as other:
        wait_until(other.is_ready)
        with serving(balanced_over([app.evaluator, other], served)) as balanced:
            shops = [start("python", name, balanced.url) for name in ("one", "two")]
            for number in range(4):
                for shop in shops:
                    shop.serve(*[(0.2, OK)] * (number + 1), (0.7, FAILED))
                told(production, "2.0")  # a worker looks in between
            assert len(served) == 8
            assert set(served) == {app.evaluator.port, other.port}
            found = arrived(production, "2.0", 2 * (1 + 2 + 3 + 4 + 4))
    assert found.errors == 8
    assert TelemetrySource.objects.count() == 2


def test_processes_that_share_an_instance__are_found_and_said(
    start: Start,
    production: Environment,
    alice: User,
    alice_client: Client,
) -> None:
    page = reverse("service", args=[production.project.key, "checkout"])
    shops = [start() for _worker in range(2)]
    shops[0].serve(*[(0.2, OK)] * 3)
    assert arrived(production, "2.0", 3)
    assert "as one instance" not in text(alice_client, page)
    shops[1].serve(*[(0.2, OK)] * 10)
    shops[0].serve((0.2, OK))
    assert arrived(production, "2.0", 14)  # they are told apart by when they started
    assert "Several processes of version 2.0 send metrics to Production as one instance" in text(
        alice_client, page
    )
    (source,) = TelemetrySource.objects.all()
    assert source.shared_at
    service = production.project.services.get(key="checkout")
    later = source.shared_at + reading.WARNED_FOR
    assert [one.instances for one in reading.warnings(service, now=source.shared_at)] == [1]
    assert reading.warnings(service, now=later) == []
    assert metrics_words(reading.warnings(service, now=source.shared_at)[0])
    points.forget(now=later)
    assert TelemetrySource.objects.exists()
    points.forget(now=later + points.FORGOTTEN_AFTER)
    assert not TelemetrySource.objects.exists()


@pytest.mark.parametrize("sdk", ["python", "node"])
def test_spans_with_evaluations__count_for_the_variants(
    start: Start, production: Environment, sdk: str
) -> None:
    if not shutil.which(COMMANDS[sdk][0]):
        pytest.skip("there is no node")
    told_of = [["new-checkout", "on", True], ["new-checkout", "on", False]]
    start(sdk).serve(evaluations=told_of)
    found = arrived(production, "on", 2, "flag", "new-checkout")
    assert (found.errors, found.durations.total) == (1, 2)


def balanced_over(evaluators: list[EvaluatorProcess], served: list[int]) -> Behaviour:
    """Hands each request to the next evaluator, and notes which it was."""
    turns = cycle(evaluators)

    def behave(handler: BaseHTTPRequestHandler) -> None:
        one, came = next(turns), handler.came  # type: ignore[attr-defined]
        served.append(one.port)
        told = {name.lower(): value for name, value in came.headers.items()}
        headers = {name: told[name] for name in ("authorization", "content-type")}
        answer = one.http.post(came.path, content=came.body, headers=headers)
        handler.send_response(answer.status_code)
        handler.send_header("content-type", answer.headers["content-type"])
        handler.send_header("content-length", str(len(answer.content)))
        handler.end_headers()
        handler.wfile.write(answer.content)

    return behave
