"""A toggle that comes from Unleash answers as Unleash/client-specification says."""

import json
from typing import Any

import pytest

from tests.flags.transfer.importers.plans import TESTS
from tests.flags.transfer.importers.unleash import Answer, Imported, plan_unleash

GROUPS: list[dict[str, Any]] = json.loads(
    (TESTS / "cases/importers/unleash.json").read_text(encoding="utf-8")
)["groups"]


def wanted(ask: dict[str, Any], found: Answer) -> Answer:
    """What the case says; it need not say which variant."""
    kind, payload = ask.get("payload", (None, None))
    if "variant" not in ask:
        return found._replace(enabled=ask["enabled"])
    return Answer(ask["enabled"], ask["variant"], payload, kind)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group["name"])
def test_toggles__answer_as_the_specification_says(group: dict[str, Any]) -> None:
    plan = plan_unleash(group["toggles"], group.get("segments", ()))
    assert plan.skipped == []
    ours = Imported(plan)
    answers = [(ask, ours.answer(ask["toggle"], ask["context"])) for ask in group["asks"]]
    assert [(ask, found) for ask, found in answers if found != wanted(ask, found)] == []
