"""Asking an imported flag, without a database in between."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flags.engine import (
    CompiledFlag,
    compile_flag,
    environment_document,
    parse_configuration,
    parse_definition,
)
from flags.transfer.importers import ImportPlan, PlannedFlag, plan_import

TESTS = Path(__file__).resolve().parents[3]
EXAMPLE: dict[str, Any] = json.loads(
    (TESTS / "data/flagd/example_flags.flagd.json").read_text(encoding="utf-8")
)


def plan_flagd(flags: object, **others: object) -> ImportPlan:
    return plan_import("flagd", {"flags": flags, **others}, environment="production")


def flagd_flag(targeting: object = None, **changes: object) -> dict[str, object]:
    """A flag of colours, red by default."""
    flag: dict[str, object] = {
        "state": "ENABLED",
        "variants": {"red": "#f00", "blue": "#00f", "true": "yes", "false": "no"},
        "defaultVariant": "red",
    }
    return {**flag, **({} if targeting is None else {"targeting": targeting}), **changes}


def compiled(planned: PlannedFlag) -> CompiledFlag:
    """The flag as evaluators would have it."""
    definition = parse_definition(planned.definition)
    configuration = parse_configuration({"salt": "s", **(planned.configuration or {})}, definition)
    return compile_flag(environment_document(definition, configuration, 1))


def compiled_flagd(targeting: object, key: str = "colour", **others: object) -> CompiledFlag:
    """The one flag with that targeting; fails where it is skipped."""
    plan = plan_flagd({key: flagd_flag(targeting)}, **others)
    assert plan.skipped == []
    return compiled(plan.flags[0])


def variant(flag: CompiledFlag, context: Mapping[str, object]) -> str | None:
    return flag.evaluate(context).variant
