"""schemathesis against the running portal: no fault, and no answer that nobody described."""

from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from tests.portal.api import fuzzed
from tests.support.stack import Stack

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]


@pytest.fixture(scope="module")
def known(stack: Stack) -> dict[str, str]:
    """What there is in a project that no other test looks at, and an admin key of it."""
    found: dict[str, str] = stack.inside(fuzzed.fill)
    return found | {
        "project": "fuzz",
        "environment": "production",
        "key": "a-flag",
        "group": "crew",
        "role": "viewer",
        "service": "checkout",
        "template": "careful",
        "policy": "strict",
        "command": "pause",
    }


def test_every_operation__whatever_it_is_sent__answers_as_described(
    stack: Stack, known: dict[str, str], whole: bool
) -> None:
    schema = schemathesis.openapi.from_url(f"{stack.portal_url}/api/schema/?format=json")
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path.startswith("/api/v1/"):
            _send(operation, known, examples=8 if whole else 4)


def _send(operation: Any, known: dict[str, str], *, examples: int) -> None:
    @hypothesis.settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(case=operation.as_strategy(), fits=hypothesis.strategies.booleans())
    def send(case: Any, fits: bool) -> None:
        _fit(case, known if fits else {"project": known["project"]})
        response = case.call(headers={"Authorization": f"Bearer {known['token']}"})
        case.validate_response(response, checks=CHECKS)

    send()


def _fit(case: Any, known: dict[str, str]) -> None:
    """Speak of what there is: everything else is one and the same 404, or a bad cursor."""
    case.path_parameters |= {name: known[name] for name in case.path_parameters if name in known}
    if "token" in known:
        case.query.pop("cursor", None)
        case.query.pop("timeout_s", None)  # nothing more comes of the release
        case.headers.pop("If-None-Match", None)
        if "If-Match" in case.headers:
            case.headers["If-Match"] = '"1"'
