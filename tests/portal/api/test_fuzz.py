"""schemathesis against the running portal: no fault, and no answer that nobody described."""

from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from tests.support.stack import Stack

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
SET_UP = """
from contextlib import suppress
from portal.access import services
from portal.access.models import Project
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest
from portal.approvals.services import set_policy
from portal.lib import clock, journal
from flags.services import create_flag, set_enabled
actor, now = journal.system("tests"), clock.now()
project = services.create_project(key="fuzz", name="Fuzz", actor=actor, now=now)
place = project.environments.get(key="production")
boolean = [{"key": "on", "value": True}, {"key": "off", "value": False}]
document = {"key": "a-flag", "value_type": "boolean", "variants": boolean}
flag = create_flag(project=project, document=document, actor=actor, now=now)
by = {"environment": place, "actor": actor, "now": now}
set_policy(document={"required_approvals": 1}, **by)
with suppress(Waiting):
    set_enabled(flag=flag, enabled=True, **by)
rights = ["environment.configure", "member.manage", "key.manage"]
key = services.issue_key(**by, kind="admin", name="Fuzz", rights=rights)
other = services.issue_key(**by, kind="server", name="Fuzz")
group = services.create_group(project=project, key="crew", name="Crew", actor=actor, now=now)
number = ChangeRequest.objects.get(project=project).pk
print(key.token, other.key.selector, number)
"""


@pytest.fixture(scope="module")
def known(stack: Stack) -> dict[str, str]:
    """What there is in a project that no other test looks at, and an admin key of it."""
    printed = stack.manage("shell", "-v", "0", "-c", SET_UP).stdout.strip().splitlines()[-1]
    found = dict(zip(("token", "selector", "number"), printed.split(), strict=True))
    return found | {
        "project": "fuzz",
        "environment": "production",
        "key": "a-flag",
        "group": "crew",
        "role": "viewer",
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
        case.headers.pop("If-None-Match", None)
        if "If-Match" in case.headers:
            case.headers["If-Match"] = '"1"'
