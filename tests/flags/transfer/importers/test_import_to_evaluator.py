"""An import is there when it answers: for evaluators at once."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import settings

from flags.delivery import publisher, relay
from portal.access import services
from portal.access.models import Environment
from portal.lib.journal import Intent
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.flags.evaluator.shop import FLAGS
from tests.support.people import SETTING_UP
from tests.support.redis_server import RedisServer
from tests.support.script import Script, answer, issue
from tests.support.settings_env import SECRETS
from tests.support.waiting import wait_until

VARIANTS = [{"name": "blue", "weight": 1, "payload": {"type": "json", "value": '{"a": 1}'}}]
IMPORT = "/api/v1/projects/shop/environments/production/import?format=unleash"


@pytest.fixture
def evaluator(redis_server: RedisServer, tmp_path: Path) -> Iterator[EvaluatorProcess]:
    """An evaluator that follows what this portal publishes."""
    redis_server.restart_empty()
    relay._publisher.cache_clear()
    relay._redis.cache_clear()
    process = EvaluatorProcess(settings.REDIS_URL, tmp_path, snapshot_key=SECRETS["SNAPSHOT_KEY"])
    process.start()
    yield process
    process.stop()


@pytest.mark.django_db(transaction=True)
def test_imported_toggles__are_answered_as_unleash_answers(
    evaluator: EvaluatorProcess,
    production: Environment,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # More than one entry of the stream holds, so that the evaluator loads them all.
    monkeypatch.setattr(publisher, "STREAM_ENTRY_BYTES", 4096)
    issued = services.issue_key(
        environment=production, kind="server", name="Shop", intent=Intent(SETTING_UP, at=now)
    )
    headers = {"X-API-Key": str(issued.token)}
    toggle = {"enabled": True, "strategies": [{"name": "default"}], "variants": VARIANTS}
    script = Script(issue(production))
    for enabled in (True, False):
        toggles = [{**toggle, "name": f"t-{n}", "enabled": enabled} for n in range(40)]
        answer(script.post(IMPORT, {"version": 1, "features": toggles}))

        def ask() -> dict[str, object]:
            found = evaluator.http.post(
                f"{FLAGS}/t-39", json={"context": {"targetingKey": "alice"}}, headers=headers
            )
            body: dict[str, object] = found.json()
            return body

        wait_until(lambda expected=enabled: ask().get("value") is expected)  # type: ignore[misc]
        body = ask()
        metadata = body["metadata"]
        assert isinstance(metadata, dict)
        assert body["variant"] == ("blue" if enabled else "disabled")
        assert metadata["enabled"] is enabled
        assert metadata.get("payload") == ('{"a": 1}' if enabled else None)
        assert metadata.get("payloadType") == ("json" if enabled else None)
