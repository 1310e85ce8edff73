"""What docs/telemetry.md prints works as it stands there."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.track import TrackingEventDetails

from flags.models import Flag
from portal.access.models import Environment
from releases.telemetry.models import OutcomeBucket
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.releases.telemetry.conftest import Application, application, arrived
from tests.support.releasing import a_service

pytestmark = pytest.mark.django_db(transaction=True)
GUIDE = Path(__file__).parents[3] / "docs" / "telemetry.md"


def printed(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)


@pytest.fixture
def shop(
    published_evaluator: EvaluatorProcess,
    production: Environment,
    new_checkout: Flag,
    monkeypatch: pytest.MonkeyPatch,
) -> Application:
    a_service(production.project)
    found = application(published_evaluator, production)
    monkeypatch.setenv("AVIARY_EVALUATOR", published_evaluator.url)
    monkeypatch.setenv("AVIARY_KEY", found.token)
    return found


def test_the_guide__curl_and_python_tell_of_outcomes(
    shop: Application, production: Environment
) -> None:
    (curl,) = printed("sh")
    done = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, check=True)
    assert done.stdout == '{"accepted":1,"rejected":[]}'
    names: dict[str, Any] = {}
    exec(printed("python")[0], names)
    one = {"service": "checkout", "version": "2.0", "duration_ms": 12.5, "error": False}
    assert names["tell"](one, batch_id="b-1") == {"accepted": 1, "rejected": []}
    assert names["tell"](one, batch_id="b-1")["repeated"]
    found = arrived(production, "2.0", 121)
    assert (found.errors, found.durations.total) == (3, 4)


@pytest.fixture
def client(shop: Application) -> Iterator[Any]:
    """The stock SDK, with the provider that the guide prints."""
    names: dict[str, Any] = {}
    exec(printed("python")[1], names)
    provider = names["TellingProvider"](shop.evaluator.url, headers_factory=lambda: shop.headers)
    api.set_provider(provider, "telling")
    yield api.get_client("telling")
    provider.session.close()


def test_the_guide__what_is_tracked_counts_for_the_variant_that_was_served(
    client: Any, production: Environment, new_checkout: Flag
) -> None:
    context = EvaluationContext("ann", {"country": "DE"})
    served = client.get_boolean_details("new-checkout", False, context).variant
    names = {"client": client, "context": context, "TrackingEventDetails": TrackingEventDetails}
    exec(printed("python")[2], names)
    client.track("new-checkout", context)
    client.track("new-checkout")
    found = arrived(production, served, 3, "flag", "new-checkout")
    assert (found.errors, found.durations.total) == (0, 1)
    assert sum(OutcomeBucket.objects.values_list("value_sum", flat=True)) == 99.5
