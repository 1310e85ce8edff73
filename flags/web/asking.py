"""A question about somebody, as a form asks it: who, and with which attributes.

It comes in the body of a POST and is answered at once; nothing of it is kept or logged. To be
passed on, it travels in the part of an address that browsers do not send.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.http import QueryDict
from django.utils.translation import gettext as _

from flags.engine.document import TARGETING_KEY
from portal.lib import strict_json
from portal.lib.errors import Invalid
from portal.lib.web.forms import read_json

_JSON: Final = re.compile(r'[\[{"]|-?\d|(true|false|null)$')
_LINE: Final = re.compile(r"([^=:\s]++)\s*+[=:](.*)")


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked about: the targeting key, and attributes as JSON or as lines."""

    unit: str = ""
    attributes: str = ""

    @property
    def context(self) -> dict[str, Any]:
        """The evaluation context. Raises Invalid where the attributes cannot be read."""
        context = _attributes(self.attributes.strip())
        if self.unit:
            context[TARGETING_KEY] = self.unit
        if not isinstance(context.get(TARGETING_KEY, ""), str):
            raise Invalid({"attributes": _("The targeting key is a text: put it in quotes.")})
        return context


def asked_in(form: QueryDict) -> Asked:
    """The question that a form sent."""
    return Asked(form.get("unit", "").strip(), form.get("attributes", ""))


def _attributes(text: str) -> dict[str, Any]:
    if not text.startswith("{"):
        return dict(_lines(text.splitlines()))
    found: dict[str, Any] = read_json(text, "attributes")
    return found


def _lines(lines: Iterable[str]) -> Iterable[tuple[str, Any]]:
    for line in lines:
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            text = _("Write each attribute as a line like {line}, or all as one JSON object.")
            raise Invalid({"attributes": text.format(line="country = DE")})
        yield found[1], read_value(found[2].strip())


def read_value(text: str) -> object:
    """Numbers, true, false, lists and texts in quotes as JSON has them; else a plain text."""
    if not _JSON.match(text):
        return text
    try:
        return strict_json.loads_text(text)
    except strict_json.NotStrict:
        return text
