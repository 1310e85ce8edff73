"""What a list of flags is asked for."""

from rest_framework.request import Request

from flags.searching import FlagFilter
from portal.lib.api_query import decode_cursor, switch, text


def filter_of(request: Request) -> FlagFilter:
    """The filter in the query. Raises Invalid, naming the parameter."""
    return FlagFilter(
        search=text(request, "search"),
        archived=switch(request, "archived"),
        after=decode_cursor(text(request, "cursor")),
    )
