"""An application whose environment is published, and which tells of outcomes."""

from datetime import timedelta

from flags import tasks
from flags.delivery import relay
from portal.access import services
from portal.access.models import Environment
from portal.lib import clock
from portal.lib.journal import Intent
from releases.engine.tally import Tally
from releases.telemetry import reading
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.support.people import SETTING_UP
from tests.support.waiting import wait_until

PATH = "/api/v1/telemetry"


class Application:
    """What is deployed: it tells an evaluator what became of its requests."""

    def __init__(self, evaluator: EvaluatorProcess, token: str) -> None:
        self.evaluator, self.token, self.headers = evaluator, token, {"X-API-Key": token}

    def tell(self, *outcomes: object, **more: object) -> dict[str, object]:
        body = {"outcomes": outcomes, **more}
        answer = self.evaluator.http.post(PATH, json=body, headers=self.headers)
        assert answer.status_code == 202, answer.text
        found: dict[str, object] = answer.json()
        return found


def application(
    evaluator: EvaluatorProcess, environment: Environment, kind: str = "server", *rights: str
) -> Application:
    issued = services.issue_key(
        environment=environment, kind=kind, name=kind, intent=Intent(SETTING_UP), rights=rights
    )
    relay.sweep()
    found = Application(evaluator, str(issued.token))
    wait_until(lambda: evaluator.http.post(PATH, headers=found.headers).status_code == 400)
    return found


def told(
    environment: Environment, version: str, about: str = "service", name: str = "checkout"
) -> Tally:
    """All that is counted once the worker has taken what there is."""
    tasks.take_intake()
    now = clock.now()
    since, until = now - timedelta(hours=1), now + timedelta(minutes=2)
    return reading.tally(environment, about, name, version, since=since, until=until)


def arrived(
    environment: Environment,
    version: str,
    requests: int,
    about: str = "service",
    name: str = "checkout",
) -> Tally:
    """The same, once so many requests are counted."""
    wait_until(lambda: told(environment, version, about, name).requests == requests)
    return told(environment, version, about, name)
