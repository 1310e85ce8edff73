"""What scripts send, read strictly: every field by its name and its type."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from portal.lib.errors import Invalid

_REQUIRED = ("digest", "kind", "result", "expires_at")
_FIELDS = (*_REQUIRED, "detail")


def evidence_fields(document: object) -> dict[str, Any]:
    """The arguments of post_evidence. Raises Invalid with each field that is wrong."""
    if not isinstance(document, Mapping):
        raise Invalid({"": _("Send an object with {fields}.").format(fields=", ".join(_FIELDS))})
    problems = {name: _("There is no such field.") for name in document if name not in _FIELDS}
    problems |= {name: _("This is missing.") for name in _REQUIRED if name not in document}
    for name in _FIELDS:
        if name in document and not isinstance(document[name], str):
            problems[name] = _("Send a text.")
    if problems:
        raise Invalid(problems)
    return {**document, "expires_at": _moment(document["expires_at"])}


def comment_text(document: object) -> str:
    """What a comment says. Raises Invalid with each field that is wrong."""
    if not isinstance(document, Mapping):
        raise Invalid({"": _("Send an object with {fields}.").format(fields="text")})
    problems = {name: _("There is no such field.") for name in document if name != "text"}
    if not isinstance(document.get("text"), str):
        problems["text"] = _("Send a text.")
    if problems:
        raise Invalid(problems)
    return str(document["text"])


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:  # such as the 31st of June
        moment = None
    if moment is None or moment.tzinfo is None:
        sentence = _("Send a time with its zone, like 2026-01-31T12:00:00Z.")
        raise Invalid({"expires_at": sentence})
    return moment
