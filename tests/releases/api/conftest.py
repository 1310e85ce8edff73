"""A script with an admin key of the shop's production, and one with that of staging."""

from typing import Any

import pytest

from portal.access.models import Environment
from releases.catalogue.models import Service
from tests.support.releasing import DIGEST, PLAN, routed_by_flag
from tests.support.script import Script, issue


@pytest.fixture
def script(production: Environment) -> Script:
    return Script(issue(production))


@pytest.fixture
def elsewhere(staging: Environment) -> Script:
    return Script(issue(staging))


@pytest.fixture
def service(production: Environment) -> Service:
    return routed_by_flag(production)


@pytest.fixture
def body(service: Service) -> dict[str, Any]:
    return {
        "service": service.key,
        "environment": "production",
        "artefact": {"version": "2.0", "digest": DIGEST, "commit": "9f86d08"},
        "strategy": "canary",
        "plan": PLAN | {"proof_of_return": False},
        "reason": "new checkout",
    }
