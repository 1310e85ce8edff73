"""flagd answers from an exported file what we answer."""

from itertools import cycle

from flags.engine.buckets import unit_of
from flags.exporters.flagd import write_file
from tests.flags.exporters.flagd_cases import contexts, every_construct
from tests.flags.exporters.flagd_model import NOTHING, Flagd, answer_of

BUCKETED = ("targetingKey", "country", "age")


def may_be_refused(context: dict[str, object]) -> bool:
    """Whether a unit is one that flagd cannot take as it is."""
    units = [context.get(name) for name in BUCKETED]
    return any(
        (isinstance(one, str) and one != one.rstrip())
        or (isinstance(one, float) and abs(one) >= 2**53 and unit_of(one) is not None)
        for one in units
    )


def test_every_construct__random_contexts__answers_as_we_do() -> None:
    place = every_construct()
    file = write_file(place.corpus)
    assert file.left_out == []
    flagd = Flagd(file.document("shop/production"))
    keys = cycle(place.flags)
    for context in contexts(10_000):
        for _ in range(3):
            key = next(keys)
            ours = answer_of(place.flags[key].evaluate(context, place.world))
            found = flagd.answer(key, context)
            if found == NOTHING and ours != found:
                assert may_be_refused(context), (key, context, ours)
            else:
                assert found == ours, (key, context)
