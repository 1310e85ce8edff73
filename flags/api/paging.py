"""What a list of flags is asked for, and the cursor that continues it."""

import base64
import binascii

from django.utils.translation import gettext as _
from rest_framework.request import Request

from flags.selectors import FlagFilter
from portal.lib.errors import Invalid

_SWITCH = {"": False, "0": False, "false": False, "1": True, "true": True}


def filter_of(request: Request) -> FlagFilter:
    """The filter in the query. Raises Invalid, naming the parameter."""
    return FlagFilter(
        search=_text(request, "search"),
        archived=switch(request, "archived"),
        after=_decode(_text(request, "cursor")),
    )


def switch(request: Request, name: str) -> bool:
    """A parameter that is on or off."""
    value = _SWITCH.get(request.query_params.get(name, "").lower())
    if value is None:
        raise Invalid({name: _("Use true or false.")})
    return value


def _text(request: Request, name: str) -> str:
    value = str(request.query_params.get(name, ""))
    if "\0" in value or len(value) > 1000:
        raise Invalid({name: _("Use at most 1000 characters, and no NUL.")})
    return value


def encode_cursor(key: str) -> str | None:
    """A cursor after that flag; None where the list ends."""
    return base64.urlsafe_b64encode(key.encode()).decode() if key else None


def _decode(cursor: str) -> str:
    try:
        key = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        key = "\0"
    if "\0" in key:
        raise Invalid({"cursor": _("Send the “next” of the page before, as it was.")})
    return key
