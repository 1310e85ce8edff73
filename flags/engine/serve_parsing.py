"""Reads what rules serve and to what share: splits, audiences and how they bucket."""

from collections.abc import Iterable

from flags.engine import limits
from flags.engine.buckets import ALGORITHMS
from flags.engine.condition_parsing import logic_reader, read_attribute, read_condition
from flags.engine.document import (
    Audience,
    ByLogic,
    CodeDefault,
    Fixed,
    Override,
    Serve,
    Share,
    Split,
)
from flags.engine.scalars import read_segment_key
from portal.lib.documents.problems import Problem
from portal.lib.documents.readers import Reader, checked, list_of, one_of, record, refuse, tagged
from portal.lib.documents.scalars import integer, read_boolean, read_percentage, text

_BUCKETING: dict[str, Reader[object]] = {
    "bucket_by": read_attribute,
    "else_by": list_of(read_attribute, most=limits.MAX_ELSE_BY),
    "algorithm": one_of(ALGORITHMS, "algorithm"),
    "seed": text(limits.MAX_KEY_CHARS),
}


def _check_audience(audience: Audience) -> Iterable[Problem]:
    algorithm = ALGORITHMS[audience.algorithm]
    if algorithm.place_audience is None:
        yield Problem("algorithm", "Use another algorithm; this one is for splits only.")
    if audience.seed is not None and algorithm.salted:
        yield Problem("seed", "Remove the seed; the salt alone shuffles this algorithm.")


read_audience: Reader[Audience] = checked(
    record(
        lambda percent, **others: Audience(threshold=percent, **others),
        {"percent": read_percentage},
        {**_BUCKETING, "group": read_segment_key},
    ),
    _check_audience,
)


def serve_reader(variant: Reader[str]) -> Reader[Serve]:
    """Reads what is served, of the variants that ``variant`` reads."""
    return tagged(
        {
            "variant": record(Fixed, {"variant": variant}),
            "split": _split(variant),
            "jsonlogic": logic_reader(ByLogic),
            "code_default": record(lambda code_default: CodeDefault(), {"code_default": _read_yes}),
        }
    )


def _read_yes(value: object) -> bool:
    if not read_boolean(value):
        refuse("Give true, or serve something else.")
    return True


def _split(variant: Reader[str]) -> Reader[Serve]:
    weight = integer(0, limits.MAX_FLAGD_TOTAL)
    share = record(Share, {"variant": variant, "weight": weight})
    override = record(Override, {"variant": variant, "when": read_condition})
    split = record(
        lambda split, **others: Split(shares=split, **others),
        {"split": list_of(share, least=1, most=limits.MAX_VARIANTS)},
        {**_BUCKETING, "overrides": list_of(override, most=limits.MAX_OVERRIDES)},
    )
    return checked(split, lambda split: ALGORITHMS[split.algorithm].check(split))
