"""People keep what flagd gave them: whole answers, beside those of flagd's own library.

It buckets as the newest generation does, by CBOR; the others have their own tests.
"""

import json
import logging
from typing import Any

import pytest
from openfeature.contrib.tools.flagd.core.flagd_core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from flags.engine import CompiledFlag, EvaluationState
from flags.transfer.importers import plan_import
from tests.flags.transfer.importers.plans import compiled, flagd_flag

COLOURS = {"fractional": [["red", 25], ["blue", 50], ["true", 25]]}
FILE: dict[str, Any] = {
    "$evaluators": {"isStaff": {"ends_with": [{"var": "email"}, "@shop.example"]}},
    "metadata": {"flagSetId": "shop"},
    "flags": {
        "colour": flagd_flag(COLOURS, metadata={"team": "cart"}),
        "sizes": flagd_flag(
            {
                "if": [
                    {"$ref": "isStaff"},
                    "true",
                    {"sem_ver": [{"var": "version"}, ">=", "2.1.0"]},
                    {"fractional": [{"var": "email"}, ["blue", 1], ["false", 3]]},
                    {">=": [{"var": "age"}, 18]},
                    {
                        "fractional": [
                            {"cat": [{"var": "$flagd.flagKey"}, {"var": "email"}]},
                            ["red"],
                            ["false"],
                        ]
                    },
                ]
            },
            defaultVariant=None,
        ),
    },
}


def context_of(number: int) -> dict[str, Any]:
    """Every combination comes up among a few hundred people."""
    place = ["shop.example", "mail.example", "mail.example"][number % 3]
    return {
        "targetingKey": f"user-{number}",
        "email": f"user-{number}@{place}",
        "version": ["2.1.0", "2.0.9-rc.1", "v3", "new"][number % 4],
        "age": [17, 18, "19", None, 40.5][number % 5],
    }


@pytest.fixture(scope="module")
def original() -> FlagdCore:
    logging.getLogger("openfeature.contrib").setLevel(logging.CRITICAL)
    core = FlagdCore()
    core.set_flags(json.dumps(FILE))
    return core


@pytest.fixture(scope="module")
def ours() -> dict[str, CompiledFlag]:
    plan = plan_import("flagd", FILE, environment="production", bucketing="cbor")
    assert plan.skipped == []
    return {planned.key: compiled(planned) for planned in plan.flags}


def answers(
    name: str, number: int, ours: dict[str, CompiledFlag], original: FlagdCore
) -> tuple[tuple[object, ...], tuple[object, ...]]:
    context = context_of(number)
    result = ours[name].evaluate(context, EvaluationState(ours, {}, {}, 0.0))
    attributes = {key: value for key, value in context.items() if key != "targetingKey"}
    asked = EvaluationContext(context["targetingKey"], attributes)
    theirs = original.resolve_string_value(name, "", asked)
    facts = {key: result.metadata[key] for key in theirs.flag_metadata}
    return (
        (result.value or "", result.variant, facts),
        (theirs.value, theirs.variant, dict(theirs.flag_metadata)),
    )


@pytest.mark.parametrize(
    ("name", "few", "many"), [("colour", 10_000, 100_000), ("sizes", 3_000, 3_000)]
)
def test_many_people__keep_what_flagd_gave_them(
    name: str, few: int, many: int, whole: bool, ours: dict[str, CompiledFlag], original: FlagdCore
) -> None:
    people = many if whole else few
    pairs = [answers(name, number, ours, original) for number in range(people)]
    assert [pair for pair in pairs if pair[0] != pair[1]] == []
    assert len({pair[0][1] for pair in pairs}) > 2
