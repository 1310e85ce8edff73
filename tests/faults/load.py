"""Steady evaluation load, and a memory of every answer."""

import http.client
import itertools
import json
import threading
import time
from dataclasses import dataclass, field

EVERY_S = 0.005
# Where nobody judges how long answers take: each takes the time of what else runs.
EVERY_S_UNTIMED = 0.05
# One look at the position for so many evaluations.
LOOK_EVERY = 10
TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One evaluation; ``status`` is 0 where none came."""

    at: float
    took_ms: float
    status: int
    value: object = None


@dataclass(slots=True)
class Window:
    """The answers of a stretch of time."""

    answers: list[Answer] = field(default_factory=list)

    @property
    def errors(self) -> int:
        return sum(one.status != 200 for one in self.answers)

    @property
    def worst_ms(self) -> float:
        return max((one.took_ms for one in self.answers), default=float("nan"))

    @property
    def p99_ms(self) -> float:
        times = sorted(one.took_ms for one in self.answers)
        return times[int(len(times) * 0.99)] if times else float("nan")


class Load:
    """Asks one evaluator for one flag, again and again, in a thread of its own."""

    def __init__(
        self, *, port: int, path: str, token: str, environment: str, every_s: float
    ) -> None:
        self._every_s = every_s
        self._address, self._path, self._environment = ("127.0.0.1", port), path, environment
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._answers: list[Answer] = []
        self._positions: list[tuple[str, int]] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2 * TIMEOUT_S)

    @property
    def count(self) -> int:
        return len(self._answers)

    @property
    def errors(self) -> int:
        return self.since(0).errors

    @property
    def steps_back(self) -> int:
        """How often the evaluator held an older state than before."""
        seen = list(self._positions)
        return sum(later < earlier for earlier, later in itertools.pairwise(seen))

    def since(self, at: float) -> Window:
        """The answers to what was asked since an instant of time.monotonic()."""
        return Window([one for one in list(self._answers) if one.at >= at])

    def quiet(self, seconds: float = 1.0) -> Window:
        """What the evaluator does when nothing happens: look for a while."""
        began = time.monotonic()
        time.sleep(seconds)
        return self.since(began)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=TIMEOUT_S)
        while not self._stopping.wait(self._every_s):
            began = time.monotonic()
            try:
                status, value = self._ask(connection)
                if len(self._answers) % LOOK_EVERY == 0:
                    self._look(connection)
            except (OSError, http.client.HTTPException, ValueError):
                connection.close()
                status, value = 0, None
            took_ms = (time.monotonic() - began) * 1000
            self._answers.append(Answer(began, took_ms, status, value))
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> tuple[int, object]:
        body = json.dumps({"context": {"targetingKey": "user-1"}})
        connection.request("POST", self._path, body, self._headers)
        response = connection.getresponse()
        content = response.read()
        return response.status, json.loads(content).get("value")

    def _look(self, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", "/health", headers=self._headers)
        health = json.loads(connection.getresponse().read())
        for one in health["environments"]:
            if f"{one['project']}/{one['environment']}" == self._environment:
                self._positions.append((one["epoch"], one["version"]))
