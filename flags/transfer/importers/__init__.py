"""Flags from other products' files. Pure: no Django, no database."""

from collections.abc import Callable
from typing import Final

from flags.engine.document import DEFAULT_BUCKETING
from flags.engine.jsonlogic import FRACTIONALS
from flags.transfer.importers import flagd, native, unleash
from flags.transfer.importers.base import (
    FileRefused,
    ImportPlan,
    PlannedDependencies,
    PlannedFlag,
    Skipped,
    SkippedDependency,
    quote,
)

__all__ = [
    "BUCKETINGS",
    "FORMATS",
    "FileRefused",
    "ImportPlan",
    "PlannedDependencies",
    "PlannedFlag",
    "Skipped",
    "SkippedDependency",
    "UnknownBucketing",
    "UnknownFormat",
    "plan_import",
]


BUCKETINGS: Final = (DEFAULT_BUCKETING, *sorted(set(FRACTIONALS) - {DEFAULT_BUCKETING}))
"""The generations of flagd's bucketing, its usual one first."""


Importer = Callable[[object, str, str | None], ImportPlan]
"""From a parsed file, the key of the environment and, for flagd's files, the generation of its
bucketing to a plan. Raises FileRefused."""

FORMATS: Final[dict[str, Importer | None]] = {
    "native": lambda document, environment, _bucketing: native.read(document, environment),
    "flagd": lambda document, _environment, bucketing: flagd.read(
        document, bucketing or BUCKETINGS[0]
    ),
    "unleash": lambda document, *_options: unleash.read(document),
    "flagsmith": None,
    "growthbook": None,
    "launchdarkly": None,
    "goff": None,
}
"""Every format of the contract; None for those that are still to come."""


class UnknownFormat(FileRefused):
    """There is no such importer, or not yet."""


class UnknownBucketing(FileRefused):
    """There is no such generation of flagd's bucketing, or the format has none at all."""


def plan_import(
    format_name: str, document: object, *, environment: str, bucketing: str | None = None
) -> ImportPlan:
    """What the file asks for.

    Raises UnknownFormat, UnknownBucketing, and FileRefused for an unusable file.
    """
    importer = FORMATS.get(format_name)
    if importer is None:
        available = ", ".join(name for name, reader in FORMATS.items() if reader)
        known = format_name in FORMATS
        problem = "is not available yet" if known else "is not a format we know"
        raise UnknownFormat(f"{quote(format_name)} {problem}; available: {available}.")
    if bucketing is not None:
        _check_bucketing(format_name, bucketing)
    return importer(document, environment, bucketing)


def _check_bucketing(format_name: str, bucketing: str) -> None:
    if format_name != "flagd":
        raise UnknownBucketing("Only flagd's files are bucketed in more than one way.")
    if bucketing not in BUCKETINGS:
        known = ", ".join(BUCKETINGS)
        raise UnknownBucketing(
            f"{quote(bucketing)} is no bucketing of flagd's; use one of {known}."
        )
