"""Telemetry: how many outcomes one core takes, and what that does to those who evaluate."""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.evaluator import (
    CASES,
    CONTEXT,
    ROUNDS,
    SERVER_CORE,
    Load,
    free_port,
    installation,
    pinned,
    post,
    wait_for,
)
from portal.supervisor.supervised import Process, Supervisor

PATH: Final = "/api/v1/telemetry"
OUTCOMES: Final = 1_000
SENDERS: Final = 4
# As if a few applications asked, none of them in a hurry.
READERS, READERS_PAUSE_MS = 8, 8


@dataclass(frozen=True, slots=True)
class Kind:
    """What outcomes name, how many a second the bar asks for, and one of them."""

    title: str
    wanted: int
    outcome: dict[str, Any]

    def batch(self, outcomes: int = OUTCOMES) -> dict[str, Any]:
        return {
            "outcomes": [
                {**self.outcome, "duration_ms": 5.0 + number % 70, "error": number % 20 == 0}
                for number in range(outcomes)
            ]
        }


KINDS: Final = (
    Kind("by version", 50_000, {"service": "checkout", "version": "2.0"}),
    Kind("by variant", 50_000, {"flag": "new-checkout", "variant": "on"}),
    Kind("by context", 15_000, {"flag": "new-checkout", "context": CONTEXT}),
)


@dataclass(frozen=True, slots=True)
class Bench:
    """An evaluator on a core of its own."""

    url: str
    headers: dict[str, str]

    def outcomes_per_s(self, kind: Kind) -> float:
        found = self._best([self._tell(kind) for _round in range(ROUNDS)])
        return found.requests_per_s * OUTCOMES

    def _tell(self, kind: Kind, outcomes: int = OUTCOMES, pause_ms: int = 0) -> Load:
        address, batch = self.url + PATH, kind.batch(outcomes)
        return post(address, batch, self.headers, connections=SENDERS, pause_ms=pause_ms)

    def evaluate(self) -> Load:
        """What those who evaluate see, in the best of all rounds."""
        return min((self.evaluate_once() for _round in range(ROUNDS)), key=lambda one: one.p99_ms)

    def evaluate_beside(self, kind: Kind, outcomes: int = OUTCOMES) -> tuple[Load, float]:
        """The same while others tell of half as many outcomes as the bar asks for."""
        # A little less than what a second leaves, for answering takes its time too.
        pause_ms = round(800 * SENDERS * outcomes / (kind.wanted / 2))
        found = []
        with ThreadPoolExecutor(1) as beside:
            for _round in range(ROUNDS):
                telling = beside.submit(self._tell, kind, outcomes, pause_ms)
                found.append((self.evaluate_once(), telling.result().requests_per_s * outcomes))
        return min(found, key=lambda one: one[0].p99_ms)

    def evaluate_once(self) -> Load:
        address, body = self.url + CASES[1][1], {"context": CONTEXT}
        load = post(address, body, self.headers, connections=READERS, pause_ms=READERS_PAUSE_MS)
        return self._best([load])

    @staticmethod
    def _best(loads: list[Load]) -> Load:
        if any(one.errors for one in loads):
            raise RuntimeError("some answers were errors")
        return max(loads, key=lambda one: one.requests_per_s)


def run() -> list[str]:
    """Measure; returns the lines of two Markdown tables."""
    supervisor = Supervisor()
    with tempfile.TemporaryDirectory(prefix="aviary-bench-") as folder:
        try:
            return _measure(_start(supervisor, Path(folder)))
        finally:
            supervisor.stop()


def _start(supervisor: Supervisor, folder: Path) -> Bench:
    token, port = installation(supervisor, folder), free_port()
    command = pinned(SERVER_CORE, [sys.executable, "-m", "flags.evaluator"])
    supervisor.start(Process("evaluator", command, {"EVALUATOR_PORT": str(port)}))
    url = f"http://127.0.0.1:{port}"
    wait_for(f"{url}/ready")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return Bench(url, headers)


def _measure(bench: Bench) -> list[str]:
    lines = ["| outcomes, one core | per second | bar |", "| --- | ---: | ---: |"]
    for kind in KINDS:
        found = bench.outcomes_per_s(kind)
        lines.append(f"| {kind.title} | {found:,.0f} | {kind.wanted:,} |")
    alone = bench.evaluate()
    lines += ["", "| evaluations beside | p50 | p99 | of alone |", "| --- | ---: | ---: | ---: |"]
    lines.append(f"| nothing | {alone.p50_ms:.2f} ms | {alone.p99_ms:.2f} ms | |")
    for kind, outcomes in [(kind, OUTCOMES) for kind in KINDS] + [(KINDS[0], 20 * OUTCOMES)]:
        one, told = bench.evaluate_beside(kind, outcomes)
        title = f"{told:,.0f} outcomes/s {kind.title}, {outcomes:,} a batch"
        times = f"{one.p99_ms / alone.p99_ms:.1f} x"
        lines.append(f"| {title} | {one.p50_ms:.2f} ms | {one.p99_ms:.2f} ms | {times} |")
    return lines
