"""What scripts send, read strictly: every field by its name and its type, and no others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.errors import Invalid

_MOST_WHOLE: Final = 2**31


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of field: what turns a value into it (None where it is none), what is said then."""

    read: Callable[[Any], Any]
    sentence: str | Promise


@dataclass(frozen=True, slots=True)
class Field:
    """One field that may stand in a body."""

    kind: Kind
    required: bool = False
    nullable: bool = False


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> list[str] | None:
    fits = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return value if fits else None


def _switch(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_WHOLE
    return value if fits else None


def _versions(value: Any) -> dict[str, int] | None:
    fits = isinstance(value, dict) and all(_whole(one) is not None for one in value.values())
    return value if fits else None


def _moment(value: object) -> datetime | None:
    try:
        moment = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:  # such as the 31st of June
        return None
    return moment if moment and moment.tzinfo else None


TEXT: Final = Kind(_text, gettext_lazy("Send a text."))
TEXTS: Final = Kind(_texts, gettext_lazy("Send a list of texts."))
WHOLE: Final = Kind(_whole, gettext_lazy("Send a whole number."))
SWITCH: Final = Kind(_switch, gettext_lazy("Send true or false."))
VERSIONS: Final = Kind(_versions, gettext_lazy("Send an object with a version for each."))
MOMENT: Final = Kind(_moment, gettext_lazy("Send a time with its zone, like 2026-01-31T12:00:00Z."))


def read_body(document: object, fields: Mapping[str, Field]) -> dict[str, Any]:
    """The fields that were sent. Raises Invalid with each that is wrong, missing or unknown."""
    if not isinstance(document, Mapping):
        text = _("Send an object with {fields}.").format(fields=", ".join(fields))
        raise Invalid({"": text})
    problems = {name[:100]: _("There is no such field.") for name in document if name not in fields}
    found = {}
    for name, field in fields.items():
        if name not in document:
            problems |= {name: _("This is missing.")} if field.required else {}
            continue
        found[name] = field.kind.read(document[name])
        if found[name] is None and not (field.nullable and document[name] is None):
            problems[name] = str(field.kind.sentence)
    if problems:
        raise Invalid(problems)
    return found
