"""CSV files that are safe to open in a spreadsheet."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from django.http import HttpResponse

Value = str | int | datetime | None

# What makes a spreadsheet take a cell for a formula; also behind white space, and in full width.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def csv_response(
    name: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]
) -> HttpResponse:
    """A file to download; instants in ISO 8601 and UTC, no cell that is run as a formula."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow([written(one) for one in columns])
    writer.writerows([written(one) for one in row] for row in rows)
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["Cache-Control"] = "no-store"
    return response


def written(value: Value) -> str:
    """A value as it stands in the file."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = str(value)
    first = unicodedata.normalize("NFKC", text.lstrip(" \u00a0"))[:1]
    return f"'{text}" if first in _FORMULA and first else text
