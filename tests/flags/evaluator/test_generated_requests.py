"""Requests that schemathesis makes up from the description: no answer that it does not name."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.flags.evaluator.description import describe
from tests.flags.evaluator.publisher import flag, for_country
from tests.flags.evaluator.shop import Shop

HALVES = {"split": [{"variant": "on", "weight": 50000}, {"variant": "off", "weight": 50000}]}
FLAGS = [
    flag("boolean", True, rules=for_country("DE")),
    flag("text", "blue"),
    flag("number", 1.0),
    flag("object", {"size": 7}),
    flag("off", 3, enabled=False),
    flag("a/b", True),
    flag("split", True, fallthrough=HALVES),
    flag("broken", rules="none"),
]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

description = schemathesis.openapi.from_dict(describe([str(one["key"]) for one in FLAGS]))


@pytest.fixture(scope="module")
def opened() -> set[int]:
    """Environments that are published already: the requests share one."""
    return set()


@description.parametrize()
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request__gets_an_answer_that_is_not_described(
    case: "Case[Any]", shop: Shop, opened: set[int]
) -> None:
    if shop.portal.environment_id not in opened:
        shop.open(*FLAGS)
        opened.add(shop.portal.environment_id)
    case.call_and_validate(base_url=shop.evaluator.url, headers=shop.key.headers, checks=CHECKS)
