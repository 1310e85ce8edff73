"""Parameters in the addresses of the management API."""

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
