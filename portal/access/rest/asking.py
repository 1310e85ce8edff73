"""What lists are narrowed to."""

from collections.abc import Collection, Mapping

from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.lib.api_query import text
from portal.lib.errors import Invalid


def named(fields: Mapping[str, str]) -> dict[str, str]:
    """The look-ups that narrow: those with a value."""
    return {name: value for name, value in fields.items() if value}


def choice(request: Request, name: str, values: Collection[str]) -> str:
    """A parameter that is one of some values, or missing. Raises Invalid."""
    value = text(request, name)
    if value and value not in values:
        sentence = _("Choose one of: {values}.").format(values=", ".join(values))
        raise Invalid({name: sentence})
    return value
