"""flagd answers from an exported file what we answer."""

import math
from itertools import cycle
from typing import Any

from hypothesis import assume, given

from flags.engine.buckets import unit_of
from flags.transfer.exporters.flagd import write_file
from tests.flags.engine.documents import (
    contexts as contexts_of_anything,
    referring_configurations,
    relaxed,
    split,
)
from tests.flags.transfer.exporters.flagd_cases import Place, contexts, every_construct, when
from tests.flags.transfer.exporters.flagd_model import NOTHING, Flagd, answer_of

BUCKETED = ("targetingKey", "country", "age")


def may_be_refused(context: dict[str, object]) -> bool:
    """Whether a unit is one that flagd cannot take as it is."""
    return any(is_unplaceable(context.get(name)) for name in BUCKETED)


def is_unplaceable(unit: object) -> bool:
    if isinstance(unit, str):
        return unit != unit.rstrip()
    return isinstance(unit, float) and abs(unit) >= 2**53 and unit_of(unit) is not None


def test_every_construct__random_contexts__answers_as_we_do(whole: bool) -> None:
    place = every_construct()
    file = write_file(place.corpus)
    assert file.left_out == []
    flagd = Flagd(file.document("shop/production"))
    keys = cycle(place.flags)
    for context in contexts(10_000 if whole else 3_000):
        for _ in range(3):
            key = next(keys)
            ours = answer_of(place.flags[key].evaluate(context, place.state))
            found = flagd.answer(key, context)
            if found == NOTHING and ours != found:
                assert may_be_refused(context), (key, context, ours)
            else:
                assert found == ours, (key, context)


def plain(value: Any) -> Any:
    """As JSON arrives at flagd: numbers are floating-point, texts have no lone surrogates."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {plain(name): plain(one) for name, one in value.items()}
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return 0.5
    large = isinstance(value, int) and abs(value) > 2**53
    return float(max(-(2**70), min(value, 2**70))) if large else value


def flat(value: Any) -> Any:
    """Attributes by names that flagd can find."""
    if isinstance(value, list):
        return [flat(one) for one in value]
    if not isinstance(value, dict):
        return value
    names = ("attribute", "bucket_by")
    return {n: one.replace(".", "-") if n in names else flat(one) for n, one in value.items()}


@relaxed
@given(configuration=referring_configurations(), drawn=contexts_of_anything)
def test_any_flag__any_context__answers_as_we_do_or_is_left_out(
    configuration: dict[str, Any], drawn: dict[str, Any]
) -> None:
    context = plain({name.replace(".", "-"): value for name, value in drawn.items()})
    testers = {"key": "testers", "included": ["a"], "when": when("gt", "age", 5)}
    slots = [{"flag": "tried", "from": 0.0, "to": 70.0}]
    place = Place(
        {"tried": flat(configuration), "new-cart": {"fallthrough": split(50_000)}},
        [testers],
        [{"key": "colours", "salt": "g", "slots": slots}],
    )
    file = write_file(place.corpus)
    assume("tried" in file.flags)
    ours = answer_of(place.flags["tried"].evaluate(context, place.state))
    found = Flagd(file.document("shop/production")).answer("tried", context)
    if found == NOTHING and ours != found:
        assert any(map(is_unplaceable, context.values()))
    else:
        assert found == ours
