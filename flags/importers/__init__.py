"""Flags from other products' files. Pure: no Django, no database."""

from collections.abc import Callable
from typing import Final

from flags.importers import flagd, native, unleash
from flags.importers.base import ImportPlan, PlannedFlag, Refused, Skipped, quote

__all__ = [
    "FORMATS",
    "ImportPlan",
    "PlannedFlag",
    "Refused",
    "Skipped",
    "UnknownFormat",
    "plan_import",
]

Importer = Callable[[object, str], ImportPlan]
"""From a parsed file and the key of the chosen environment to a plan. Raises Refused."""

FORMATS: Final[dict[str, Importer | None]] = {
    "native": native.read,
    "flagd": flagd.read,
    "unleash": unleash.read,
    "flagsmith": None,
    "growthbook": None,
    "launchdarkly": None,
    "goff": None,
}
"""Every format of the contract; None for those that are still to come."""


class UnknownFormat(Refused):
    """There is no such importer, or not yet."""


def plan_import(format_name: str, document: object, *, environment: str) -> ImportPlan:
    """What the file asks for. Raises UnknownFormat, and Refused for an unusable file."""
    importer = FORMATS.get(format_name)
    if importer is None:
        available = ", ".join(name for name, reader in FORMATS.items() if reader)
        known = format_name in FORMATS
        problem = "is not available yet" if known else "is not a format we know"
        raise UnknownFormat(f"{quote(format_name)} {problem}; available: {available}.")
    return importer(document, environment)
