"""Which alerts a check is about: those whose labels are equal to its matchers."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from portal.lib.documents import DocumentError, Problem, name, read_object, refuse

PLACEHOLDERS: Final = ("service", "version", "environment")
MOST_MATCHERS: Final = 20
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,99}")
_PLACEHOLDER: Final = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_read_value: Final = name(200, 1)


def read_matchers(value: object) -> dict[str, str]:
    """Labels and the values they must have. Raises DocumentError."""
    document = read_object(value)
    if not 1 <= len(document) <= MOST_MATCHERS:
        refuse('Give 1 to 20 labels that alerts must have, such as {"service": "{{service}}"}.')
    problems = list(_problems(document))
    if problems:
        raise DocumentError(problems)
    return {label: str(one) for label, one in document.items()}


def _problems(document: Mapping[str, object]) -> Iterator[Problem]:
    for label, value in document.items():
        if not _LABEL.fullmatch(label):
            yield Problem("", "A label has letters, digits and _ alone, and begins with no digit.")
            continue
        try:
            unknown = set(_PLACEHOLDER.findall(_read_value(value))) - {*PLACEHOLDERS}
        except DocumentError as error:
            yield from error.under(label)
            continue
        if unknown:
            known = ", ".join(f"{{{{{one}}}}}" for one in PLACEHOLDERS)
            yield Problem(label, f"There is no such placeholder; use one of: {known}.")


def filled(matchers: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    return {
        label: _PLACEHOLDER.sub(lambda found: names[found[1]], value)
        for label, value in matchers.items()
    }


def matches(labels: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(name) == value for name, value in wanted.items())
