"""How to send tagged requests to the version that a release tries, as lines to copy."""

import json
import shlex
from typing import Any

from releases.core.models import Release
from releases.engine.routing import TESTER
from releases.engine.steps import Work
from releases.routers import flag as flag_router


def lines_of(release: Release) -> list[str]:
    """What to run in a shell; empty where the release is not at the step of tagged requests."""
    if not release.is_moving or release.present.work is not Work.SYNTHETIC:
        return []
    return [*_asking(release), _telling(release)]


def _asking(release: Release) -> list[str]:
    if release.router["kind"] == "haproxy":
        return [f'curl -H "x-aviary-tester: {release.router["tester"]}" "$SITE/"']
    link = flag_router.tester_link(release.router)
    return [f"curl {shlex.quote(link)}"] if link else []


def _telling(release: Release) -> str:
    """What became of such a request, as the application that answered it tells the evaluator."""
    outcome: dict[str, Any] = {"flag": release.about.key}
    if release.service_id:
        outcome = {"service": release.about.key, "version": release.version, "synthetic": True}
    else:
        tested = {"targetingKey": "synthetic-1", TESTER: release.router["tester"]}
        outcome["context"] = tested
    body = json.dumps({"outcomes": [{**outcome, "duration_ms": 40, "error": False}]})
    return (
        'curl "$AVIARY_EVALUATOR/api/v1/telemetry" -H "Authorization: Bearer $AVIARY_KEY"'
        f' -H "Content-Type: application/json" -d {shlex.quote(body)}'
    )
