"""What addresses name: parameters, and rows."""

from collections.abc import Collection
from typing import Final, TypeVar

from django.db.models import Manager, Model, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.lib.errors import Invalid

_SWITCH: Final = {"": False, "0": False, "false": False, "1": True, "true": True}
Row = TypeVar("Row", bound=Model)


def switch(request: Request, name: str) -> bool:
    """A parameter that is on or off."""
    value = _SWITCH.get(request.query_params.get(name, "").lower())
    if value is None:
        raise Invalid({name: _("Use true or false.")})
    return value


def text(request: Request, name: str) -> str:
    """A parameter; empty where it is missing. Raises Invalid for what no database can look for."""
    value = str(request.query_params.get(name, ""))
    if "\0" in value or len(value) > 1000:
        raise Invalid({name: _("Use at most 1000 characters, and no NUL.")})
    return value


def choice(request: Request, name: str, values: Collection[str]) -> str:
    """A parameter that is one of some values, or missing. Raises Invalid."""
    value = text(request, name)
    if value and value not in values:
        sentence = _("Choose one of: {values}.").format(values=", ".join(values))
        raise Invalid({name: sentence})
    return value


def find(rows: QuerySet[Row] | Manager[Row], **named: str | int) -> Row:
    """The row that an address names. Raises Http404, also for what no database can look for."""
    for value in named.values():
        refuse_unfindable(value)
    found = rows.filter(**named).first()
    if found is None:
        raise Http404
    return found


def refuse_unfindable(value: str | int) -> None:
    """Raises Http404 for a name or number in an address that no database can hold."""
    if "\0" in value if isinstance(value, str) else value >= 2**63:
        raise Http404
