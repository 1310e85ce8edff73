"""Parameters of the management API's lists, and the cursor that continues them."""

import base64
import binascii

from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.lib.errors import Invalid

_SWITCH = {"": False, "0": False, "false": False, "1": True, "true": True}


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


def encode_cursor(key: str) -> str | None:
    """A cursor after that row; None where the list ends."""
    return base64.urlsafe_b64encode(key.encode()).decode() if key else None


def decode_cursor(cursor: str) -> str:
    """What encode_cursor was given. Raises Invalid."""
    try:
        key = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        key = "\0"
    if "\0" in key:
        raise bad_cursor()
    return key


def bad_cursor() -> Invalid:
    """What is said of a cursor that is none of ours."""
    return Invalid({"cursor": _("Send the “next” of the page before, as it was.")})
