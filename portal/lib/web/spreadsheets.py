"""CSV files that are safe to open in a spreadsheet, and that can be read back exactly."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Final, cast

from django.http import HttpResponse, StreamingHttpResponse

Value = str | int | datetime | None

# What makes a spreadsheet take a cell for a formula. The last one is the minus sign of typography.
_FORMULA: Final = frozenset("=+-@|%\u2212")


def csv_response(
    name: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]
) -> HttpResponse:
    """A file to download, made while it is sent; instants in ISO 8601 and UTC, and no cell that is
    run as a formula."""
    lines = (_line(row) for row in chain([columns], rows))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["Cache-Control"] = "no-store"
    return cast(HttpResponse, response)  # both are sent alike


def _line(row: Sequence[Value]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow([written(one) for one in row])
    return text.getvalue()


def written(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return guard(str(value))


def guard(text: str) -> str:
    """The text as a cell that is never run: with an apostrophe before what would be.

    Also before a text that starts with an apostrophe itself, so that ``unguard`` undoes it exactly.
    """
    return f"'{text}" if text.startswith("'") or _is_formula(text) else text


def unguard(cell: str) -> str:
    """The text that was guarded; a cell that only looks like one, made elsewhere, stays."""
    text = cell.removeprefix("'")
    return text if guard(text) == cell else cell


def _is_formula(text: str) -> bool:
    """Behind white space and invisible characters too, and in forms such as full width.

    What starts with a tab, a line break or another control character counts as well.
    """
    for character in text:
        category = unicodedata.category(character)
        if category == "Cc":
            return True
        if category[0] not in "ZC":
            return unicodedata.normalize("NFKC", character)[0] in _FORMULA
    return False
