"""What a list of flags is asked for."""

from typing import Final

from django.utils.translation import gettext as _
from rest_framework.request import Request

from flags.engine import Kind
from flags.searching import FlagFilter
from portal.access.api.authentication import holder_of
from portal.lib.api.pagination import PAGING, decode_cursor, limit_of
from portal.lib.api.query import switch, text
from portal.lib.errors import Invalid

ASKS: Final = ("search", "archived", "kind", "tag", *PAGING)


def filter_of(request: Request) -> FlagFilter:
    """The filter in the query. Raises Invalid, naming the parameter."""
    return FlagFilter(
        search=text(request, "search"),
        kind=_kind(text(request, "kind")),
        tags=tuple(filter(None, [text(request, "tag")])),
        archived=switch(request, "archived"),
        environment=holder_of(request).environment.key,
        after=decode_cursor(text(request, "cursor")),
        size=limit_of(request),
    )


def _kind(kind: str) -> str:
    kinds = [one.value for one in Kind]
    if kind and kind not in kinds:
        text = _("Choose one of: {kinds}.")
        raise Invalid({"kind": text.format(kinds=", ".join(kinds))})
    return kind
