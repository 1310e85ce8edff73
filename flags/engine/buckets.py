"""Buckets: where a unit lies on a line, by hash; integers only.

A unit's point depends on the salt, the purpose and the unit alone. Not on the rule: units keep
their place when rules are reordered or copied, and the salt is the one thing to change to
reshuffle. The purpose keeps who gets in ("audience") independent of what they get ("split").
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import mmh3

from flags.engine.document import DEFAULT_ALGORITHM, Split
from flags.engine.limits import MAX_FLAGD_TOTAL, MAX_UNIT_INTEGER
from flags.engine.state import EvaluationState
from portal.lib.documents import Problem

# Points on the line: one is 0.001 %.
SCALE: Final = 100_000

AUDIENCE: Final = "audience"
SPLIT: Final = "split"
GROUP: Final = "group"
_SHORT_UNIT_CHARS: Final = 256


def hash_text(text: str, seed: int = 0) -> int:
    """MurmurHash3 x86 32-bit, unsigned, of the UTF-8 bytes.

    Always bytes: mmh3 given a text with a lone surrogate crashes the interpreter.
    Raises UnicodeEncodeError for such a text; ``unit_of`` never lets one through.
    """
    return mmh3.hash(text.encode(), seed, False)


def point(salt: str, purpose: str, unit: str) -> int:
    """The unit's point, 0 to 99,999: the hash scaled by multiply and shift, without bias."""
    return hash_text(f"{salt}.{purpose}.{unit}") * SCALE >> 32


def unit_of(value: object) -> str | None:
    """An attribute's value as the unit to bucket by; None when it identifies nobody.

    A non-empty text is itself. A whole number, 7 or 7.0, is its decimal digits, "7", as long as
    it lies within ±(2**63 - 1). Anything else, or a text with lone surrogates, is no unit.
    """
    if isinstance(value, str):
        return value if value and (value.isascii() or _is_utf8(value)) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    is_whole = -MAX_UNIT_INTEGER <= value <= MAX_UNIT_INTEGER and value == int(value)
    return str(int(value)) if is_whole else None


def unit_in(value: object, state: EvaluationState) -> str | None:
    unit = unit_of(value)
    if unit is not None:
        spend_on(unit, state)
    return unit


def spend_on(unit: str, state: EvaluationState) -> None:
    if len(unit) > _SHORT_UNIT_CHARS:
        state.steps.spend(len(unit) >> 2)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How a split or an audience places a unit.

    ``place(seed, unit, total)`` gives a position from 0 to ``total`` - 1, where ``total`` is the
    sum of a split's weights. ``place_audience(seed, unit)`` gives a point from 0 to 99,999 to hold
    against an audience's threshold; None where the product it comes from has no audiences.
    ``salted`` says that the flag's salt is the seed and no other may be given; else the seed is
    the flag's key where none is given. ``check`` yields what such a split must not be.
    """

    place: Callable[[str, str, int], int]
    place_audience: Callable[[str, str], int] | None
    check: Callable[[Split], Iterable[Problem]]
    salted: bool = False

    def seed_of(self, given: str | None, *, flag: str, salt: str) -> str:
        if given is not None:
            return given
        return salt if self.salted else flag


def _place_aviary(seed: str, unit: str, total: int) -> int:
    return hash_text(f"{seed}.{SPLIT}.{unit}") * total >> 32


def _place_flagd(seed: str, unit: str, total: int) -> int:
    """flagd core/pkg/evaluator/fractional.go: murmur3 of seed and unit, on the weights' sum."""
    return hash_text(f"{seed}{unit}") * total >> 32


_UNLEASH_VARIANT_SEED: Final = 86028157


def _place_unleash(seed: str, unit: str, total: int) -> int:
    """Unleash's variants: murmur3 of ``groupId:unit`` with a seed of its own, modulo the weights.

    It counts from 1 and takes the first variant whose weights reach the number; we from 0.
    """
    return hash_text(f"{seed}:{unit}", _UNLEASH_VARIANT_SEED) % total


def _place_unleash_audience(seed: str, unit: str) -> int:
    """Unleash's rollout: murmur3 of ``groupId:unit`` % 100 + 1 <= percent, in our points."""
    return hash_text(f"{seed}:{unit}") % 100 * (SCALE // 100)


def _check_aviary(split: Split) -> Iterable[Problem]:
    total = sum(share.weight for share in split.shares)
    if total != SCALE:
        yield Problem("split", f"Let the weights sum to exactly {SCALE}, not {total}.")
    if len({share.variant for share in split.shares}) != len(split.shares):
        yield Problem("split", "List each variant once.")
    if split.seed is not None:
        yield Problem("seed", "Remove the seed; the salt alone shuffles this algorithm.")


def _check_total(split: Split) -> Iterable[Problem]:
    total = sum(share.weight for share in split.shares)
    if not 1 <= total <= MAX_FLAGD_TOTAL:
        yield Problem("split", f"Let the weights sum to 1 to {MAX_FLAGD_TOTAL}, not {total}.")


ALGORITHMS: Final[dict[str, Algorithm]] = {
    DEFAULT_ALGORITHM: Algorithm(
        _place_aviary,
        lambda salt, unit: point(salt, AUDIENCE, unit),
        _check_aviary,
        salted=True,
    ),
    "flagd": Algorithm(_place_flagd, None, _check_total),
    "unleash": Algorithm(_place_unleash, _place_unleash_audience, _check_total),
}
