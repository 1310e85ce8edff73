import base64
import binascii
import hashlib
import json
import re
from collections.abc import Collection, Iterable
from functools import reduce
from typing import Any, Final, TypeVar
from urllib.parse import quote

from django.db.models import Manager, Model, QuerySet
from django.http import Http404
from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from portal.lib.api.problems import PreconditionRequired
from portal.lib.api.shapes import PageShape
from portal.lib.errors import Invalid
from portal.lib.numbers import read_whole

# Pages of lists: cut after a row and not by number, so that a new row shifts nothing.

USUAL: Final = 50
MOST: Final = 200
Row = TypeVar("Row", bound=Model)


def limit_of(request: Request) -> int:
    """How many rows are wanted at most. Raises Invalid."""
    limit = read_whole(text(request, "limit") or str(USUAL), most=MOST)
    if not limit:
        raise Invalid.of("limit", _("Send a number from 1 to {most}."), most=MOST)
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
    return page, encode_cursor(str(reduce(getattr, field.split("__"), page[-1]))) if more else None


def page_of_keys(request: Request, keys: Iterable[str]) -> tuple[list[str], str | None]:
    """As page_of, for keys in order instead of rows."""
    after, size = decode_cursor(text(request, "cursor")), limit_of(request)
    found = sorted(key for key in keys if key > after)
    page = found[:size]
    return page, encode_cursor(page[-1]) if len(found) > size else None


def answer_page(request: Request, page: PageShape, rows: QuerySet[Row], *, by: str) -> Response:
    found, following = page_of(request, rows, by=by)
    return listing(request, page, found, following)


def listing(
    request: Request, page: PageShape, rows: Iterable[object], following: str | None, **more: object
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
    return Invalid({"cursor": _("Send the “next” of the previous page unchanged.")})


# What addresses name: parameters, and rows.


_SWITCH: Final = {"": False, "0": False, "false": False, "1": True, "true": True}


def switch(request: Request, name: str) -> bool:
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
        raise Invalid.of(name, _("Choose one of: {values}."), values=", ".join(values))
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


# Answers that endpoints have in common.


def answer(
    document: object, *, version: int | None = None, status: int = 200, at: str = ""
) -> Response:
    """A document. Its ``version`` is the ETag; ``at`` is the address of what was made: 201."""
    headers = {}
    if version is not None:
        headers["ETag"] = etag(version)
    if at:
        headers["Location"] = quote(at, safe="/%")
    return Response(document, status=201 if at else status, headers=headers)


# Entity tags: what is read carries one; who has it already gets 304, who writes sends it back.


_ETAG: Final = re.compile(r'(?:W/)?"([0-9]{1,18})"')


def etag(version: int) -> str:
    return f'"{version}"'


def seen_version(request: Request) -> int | None:
    """The version that If-Match names; None without it. Raises Invalid for anything else."""
    text = request.META.get("HTTP_IF_MATCH", "").strip()
    if not text:
        return None
    match = _ETAG.fullmatch(text)
    if match is None:
        raise Invalid({"If-Match": _('Send the ETag of what you read, like "7".')})
    return int(match[1])


def version_to_change(request: Request, current: int) -> int:
    """The version that If-Match names; without it the present one."""
    seen = seen_version(request)
    return current if seen is None else seen


def required_version(request: Request) -> int:
    """The version that If-Match names. Raises PreconditionRequired (428) without it."""
    version = seen_version(request)
    if version is None:
        raise PreconditionRequired
    return version


def tagged(request: Any, response: Response) -> Response:
    """A good answer to a read with its tag; 304 where If-None-Match names that."""
    if response.status_code != 200:
        return response
    if "ETag" not in response:
        response["ETag"] = f'"{hashlib.sha256(dumps(response.data).encode()).hexdigest()[:32]}"'
    response.setdefault("Cache-Control", "private, no-cache")
    if _is_known(request.META.get("HTTP_IF_NONE_MATCH", ""), response["ETag"]):
        response.status_code, response.data = 304, None
    return response


def dumps(document: object) -> str:
    """A document as it is answered: one text for one content."""
    return json.dumps(document, cls=JSONEncoder, sort_keys=True, separators=(",", ":"))


def _is_known(header: str, tag: str) -> bool:
    """By weak comparison, as RFC 9110 wants of If-None-Match."""
    known = parse_etags(header) if header.strip() else []
    return "*" in known or tag in {one.removeprefix("W/") for one in known}
