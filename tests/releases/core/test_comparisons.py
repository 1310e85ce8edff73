"""Canaries beside their baseline: what is compared, what fires, and what only holds."""

from datetime import timedelta
from typing import Any

import pytest

from portal.access.models import Environment, User
from portal.lib import clock
from portal.lib.journal import Intent
from releases.core import commands, descriptions
from releases.core.descriptions import outcome_words
from releases.core.models import Comparison, Measurement, Release
from releases.engine.checks import Check
from releases.telemetry.models import OutcomeBucket
from tests.support.people import acting
from tests.support.releasing import a_release, fresh, let_pass, routed_by_flag, tick

COMPARES = {"key": "worse", "kind": "error_comparison"}
EVERY_S = 10


def check_of(release: Release, key: str = "worse") -> Check:
    (found,) = (one for one in release.parsed_plan.checks if one.key == key)
    return found


def words(release: Release, key: str = "worse") -> str:
    return descriptions.check_words(check_of(release, key), release.checks[key])


def serve(
    release: Release,
    buckets: int,
    canary: tuple[int, int],
    baseline: tuple[int, int],
    **also: Any,
) -> Release:
    """So many buckets in which both versions answered requests and failed some; each settles."""
    now = clock.database_now()
    rows = [
        OutcomeBucket(
            environment=release.environment,
            about="service",
            name="checkout",
            version=version,
            start=now + timedelta(seconds=at * EVERY_S),
            requests=requests,
            errors=errors,
            **also,
        )
        for at in range(buckets)
        for version, (requests, errors) in (("2.0", canary), ("baseline", baseline))
    ]
    OutcomeBucket.objects.bulk_create(rows)
    return let_pass(release, buckets * EVERY_S + 20)


@pytest.fixture
def canary(development: Environment, alice: User) -> Release:
    plan = {"steps": [{"share": 5, "soak_s": 600}, {"share": 50, "soak_s": 600}, {"share": 100}]}
    service = routed_by_flag(development, checks=(COMPARES,))
    return a_release(service, development, alice, plan=plan | {"proof_of_return": False})


def test_a_canary_with_twice_the_errors__is_taken_back_with_its_evidence(canary: Release) -> None:
    for _minute in range(5):
        canary = serve(canary, 6, (200, 8), (200, 2))
        if canary.state == "rolled_back":
            break
    assert canary.state == "rolled_back"
    assert "worse than" not in outcome_words(canary)
    assert "Rolled back by the check “worse”: new version +" in outcome_words(canary)
    assert "Allowed: error rate not above the baseline's." in outcome_words(canary)
    assert canary.because["numbers"]["evidence"] >= canary.because["numbers"]["needed"] == 20
