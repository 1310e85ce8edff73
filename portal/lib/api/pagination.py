"""Pages of lists: cut after a row and not by number, so that a new row shifts nothing."""

import base64
import binascii
from collections.abc import Iterable
from functools import reduce
from typing import Final, TypeVar
from urllib.parse import quote

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.api.query import text
from portal.lib.api.shapes import Page
from portal.lib.errors import Invalid
from portal.lib.numbers import read_whole

USUAL: Final = 50
MOST: Final = 200
Row = TypeVar("Row", bound=Model)


def limit_of(request: Request) -> int:
    """How many rows are wanted at most. Raises Invalid."""
    wanted = text(request, "limit") or str(USUAL)
    limit = read_whole(wanted, most=MOST)
    if not limit:
        raise Invalid({"limit": _("Send a number from 1 to {most}.").format(most=MOST)})
    return limit


def page_of(request: Request, rows: QuerySet[Row], *, by: str) -> tuple[list[Row], str | None]:
    """The rows after the cursor in order of ``by``, and the cursor of the page after them.

    ``by`` names a field that no two rows share: ``key`` or ``pk``, with ``-`` for the last first.
    """
    field, size = by.lstrip("-"), limit_of(request)
    if after := decode_cursor(text(request, "cursor")):
        following = f"{field}__{'lt' if by.startswith('-') else 'gt'}"
        rows = rows.filter(**{following: whole_cursor(after) if field == "pk" else after})
    found = list(rows.order_by(by)[: size + 1])
    page = found[:size]
    more = len(found) > size
    return page, encode_cursor(_cursor_of(page[-1], field)) if more else None


def page_of_keys(request: Request, keys: Iterable[str]) -> tuple[list[str], str | None]:
    """As page_of, of what is no table: keys in order."""
    after, size = decode_cursor(text(request, "cursor")), limit_of(request)
    found = sorted(key for key in keys if key > after)
    page = found[:size]
    return page, encode_cursor(page[-1]) if len(found) > size else None


def answer_page(request: Request, page: Page, rows: QuerySet[Row], *, by: str) -> Response:
    """The page of the rows that is asked for, in order of ``by``, as page_of."""
    found, following = page_of(request, rows, by=by)
    return listing(request, page, found, following)


def listing(
    request: Request, page: Page, rows: Iterable[object], following: str | None, **more: object
) -> Response:
    """A page as it is answered: ``next`` is its cursor, the Link header its address."""
    given = {page.rows: page.fields[page.rows].kind.dump(rows), "next": following, **more}
    response = Response(page.dump(None, **given))
    if following:
        query = request.query_params.copy()
        query["cursor"] = following
        path = quote(request.path, safe="/%")
        response["Link"] = f'<{path}?{query.urlencode()}>; rel="next"'
    return response


def _cursor_of(row: Model, field: str) -> str:
    """The field of a row, or, as in ``flag__key``, of one that it belongs to."""
    return str(reduce(getattr, field.split("__"), row))


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


def whole_cursor(key: str) -> int:
    """A cursor that is a number. Raises Invalid."""
    number = read_whole(key)
    if number is None:
        raise bad_cursor()
    return number


def bad_cursor() -> Invalid:
    """What is said of a cursor that is none of ours."""
    return Invalid({"cursor": _("Send the “next” of the page before, as it was.")})
