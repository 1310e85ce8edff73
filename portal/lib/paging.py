"""Pages of lists: cut after a row, by what rows are sorted by, so that new ones shift nothing."""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import DateTimeField, Field, IntegerField, Model, Q, QuerySet

from portal.lib.numbers import read_whole

SIZE: Final = 50
Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some rows, and the places of the pages before and after them; or empty texts."""

    rows: list[Item]
    previous: str = ""
    next: str = ""


def page_of(
    rows: QuerySet[Row], *, after: str = "", before: str = "", size: int = SIZE
) -> Page[Row]:
    """The rows that follow a place in their order, or those just before one; else the first.

    The rows are sorted by fields or annotations, the last of which no two share. A place holds what
    its row is sorted by; one that somebody made up is ignored.
    """
    order = [str(one) for one in rows.query.order_by or rows.model._meta.ordering or ()]
    place = _read(rows, order, after or before) if after or before else []
    if not place:
        return _cut(rows, order, size)
    if not before or after:
        page = _cut(rows.filter(_beyond(order, place)), order, size)
        return Page(page.rows, _place(page.rows[0], order) if page.rows else after, page.next)
    back = [one[1:] if one.startswith("-") else f"-{one}" for one in order]
    page = _cut(rows.filter(_beyond(back, place)).reverse(), order, size)
    if not page.next:  # arrived at the first: a whole page of them
        return _cut(rows, order, size)
    return Page(page.rows[::-1], page.next, _place(page.rows[0], order))


def page_in(
    rows: Sequence[Item], key: Callable[[Item], str], *, after: str = "", before: str = ""
) -> Page[Item]:
    """As page_of, of rows in memory that are sorted by ``key``, which no two share."""
    keys = [key(row) for row in rows]
    start = bisect_right(keys, after) if after else bisect_left(keys, before) - SIZE
    start = max(start, 0)
    shown = list(rows[start : start + SIZE])
    return Page(
        shown,
        previous=keys[start] if start and shown else "",
        next=keys[start + SIZE - 1] if start + SIZE < len(rows) else "",
    )


def _cut(rows: QuerySet[Row], order: Sequence[str], size: int) -> Page[Row]:
    found = list(rows[: size + 1])
    more = len(found) > size
    return Page(found[:size], next=_place(found[size - 1], order) if more else "")


def _place(row: Model, order: Sequence[str]) -> str:
    values = [getattr(row, one.removeprefix("-")) for one in order]
    texts = [v.isoformat() if isinstance(v, datetime) else str(v) for v in values]
    return json.dumps(texts, ensure_ascii=False) if len(texts) > 1 else texts[0]


def _read(rows: QuerySet[Any], order: Sequence[str], place: str) -> list[object]:
    try:
        texts = json.loads(place) if len(order) > 1 else [place]
        fields = [_field(rows, one.removeprefix("-")) for one in order]
        return [_value(field, text) for field, text in zip(fields, texts, strict=True)]
    except (ValueError, TypeError, RecursionError, ValidationError):
        return []


def _field(rows: QuerySet[Any], name: str) -> "Field[Any, Any]":
    annotation, meta = rows.query.annotations.get(name), rows.model._meta
    found: Field[Any, Any]
    if annotation is not None:
        found = annotation.output_field
    else:
        found = meta.pk if name == "pk" else meta.get_field(name)
    return found


def _value(field: "Field[Any, Any]", text: object) -> object:
    """Raises ValueError for what such a field never holds."""
    if not isinstance(text, str) or "\0" in text:
        raise ValueError(text)
    text.encode()
    if isinstance(field, DateTimeField):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text)
        return moment
    number = read_whole(text)
    if isinstance(field, IntegerField) and number is None:
        raise ValueError(text)
    return number if isinstance(field, IntegerField) else text


def _beyond(order: Sequence[str], place: Sequence[object]) -> Q:
    """Later in the order: equal in the first columns, and beyond in the next."""
    found, equal = Q(), Q()
    for name, value in zip(order, place, strict=True):
        field, step = name.removeprefix("-"), "lt" if name.startswith("-") else "gt"
        found |= equal & Q(**{f"{field}__{step}": value})
        equal &= Q(**{field: value})
    return found
