"""An application that asks for one flag all the time, through the stock OpenFeature client."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

from tests.support.waiting import wait_until

# A visitor from nowhere: no rule of the demo project catches them.
SOMEBODY = EvaluationContext("user-1", {"country": "NZ"})
_PAUSE_S = 0.01


@dataclass(frozen=True)
class Seen:
    """A value that was answered, and when for the first time since another one."""

    value: bool
    at: float


class Witness:
    """Asks from a thread of its own. Times are seconds since 1970."""

    def __init__(self, client: OpenFeatureClient, flag: str) -> None:
        self._client = client
        self._flag = flag
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"asks for {flag}")
        self.changes: list[Seen] = []
        self.errors: list[str] = []
        self.answers = 0

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: self.answers, what="a first answer")

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def value(self) -> bool:
        """The last value."""
        return self.changes[-1].value

    def wait_for(self, value: bool) -> Seen:
        """Wait until that is the value; since when it is."""
        wait_until(lambda: self.value is value, what=f"{self._flag} = {value}")
        return self.changes[-1]

    def wait_for_answers(self, count: int) -> None:
        """Wait until it has been answered so many more times."""
        enough = self.answers + count
        wait_until(lambda: self.answers >= enough, within_s=60, what=f"{count} more answers")

    def _watch(self) -> None:
        while not self._stop.wait(_PAUSE_S):
            # The default is what no variant of the flag is asked to stand for: see ``errors``.
            answer = self._client.get_boolean_details(self._flag, False, SOMEBODY)
            if answer.error_code:
                self.errors.append(f"{answer.error_code}: {answer.error_message}")
            elif not self.changes or self.changes[-1].value is not answer.value:
                self.changes.append(Seen(answer.value, time.time()))
            self.answers += 1


@contextmanager
def watching(evaluator_url: str, token: str, flag: str) -> Iterator[Witness]:
    """A witness at work. Fails in the end when a single answer was an error."""
    provider = OFREPProvider(
        evaluator_url, headers_factory=lambda: {"Authorization": f"Bearer {token}"}
    )
    domain = f"{flag} with {token}"
    api.set_provider(provider, domain)
    witness = Witness(api.get_client(domain), flag)
    witness.start()
    try:
        yield witness
    finally:
        witness.stop()
        provider.session.close()
    assert not witness.errors, witness.errors[:3]
