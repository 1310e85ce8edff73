"""Deployments for Prometheus: each once, by name for who may see names."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from portal.access.models import Environment
from tests.releases.api.asking import RELEASES, started
from tests.support.releasing import outcomes, tick
from tests.support.script import Script, answer, issue

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
NAMES = 'environment="production"', 'project="shop"', 'service="checkout"', 'version="2.0"'


def counted(token: str = "") -> dict[str, float]:
    """What is said of deployments, by names and labels."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    lines = Client().get("/metrics", headers=headers).content.decode().splitlines()
    found = (line.rpartition(" ") for line in lines if line.startswith("deployment_"))
    return {name: float(value) for name, _space, value in found}


def test_a_deployment__is_counted_once_with_how_it_ended(
    script: Script,
    body: dict[str, Any],
    production: Environment,
    staging: Environment,
    settings: Settings,
) -> None:
    settings.METRICS_TOKEN = b"a-metrics-token-only-for-these-tests"
    names = ",".join(NAMES)
    seen_by = issue(production, "server")
    assert counted(seen_by) == {}
    release = started(script, body)
    answer(script.post(f"{RELEASES}/{release.pk}/commands/retry"), 200)
    assert counted(seen_by) == {f"deployment_started{{{names}}}": 1}
    outcomes(release, 200, errors=100)
    tick(release)
    said = counted(seen_by)
    where, how = 'environment="production"', 'error_type="errors"'
    rest = 'project="shop",service="checkout",status="failure",version="2.0"'
    assert said.pop(f"deployment_duration_sum{{{names}}}") > 0
    assert said == {
        f"deployment_started{{{names}}}": 1,
        f"deployment_completed{{{where},{how},{rest}}}": 1,
        f"deployment_duration_count{{{names}}}": 1,
    }
    assert counted(settings.METRICS_TOKEN.decode()).keys() > said.keys()
    for nobody in ("", issue(staging, "server")):
        assert "checkout" not in str(counted(nobody))
    assert counted()['deployment_completed{error_type="errors",status="failure"}'] == 1
