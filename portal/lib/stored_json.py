"""Rows found by a text in their JSON; SQLite stores it with escapes, PostgreSQL without."""

import json
from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast


def written(text: str) -> set[str]:
    """A text as either database may have written it, without its quotation marks."""
    return {json.dumps(text, ensure_ascii=how)[1:-1] for how in (True, False)}


def holding(
    rows: QuerySet[Any], field: str, texts: Iterable[str], *, lookup: str = "contains"
) -> QuerySet[Any]:
    """The rows whose document has one of these texts in it."""
    wanted = Q(*[(f"{field}_text__{lookup}", text) for text in texts], _connector=Q.OR)
    found: QuerySet[Any] = rows.annotate(**{f"{field}_text": Cast(field, TextField())})
    return found.filter(wanted)


def naming(rows: QuerySet[Any], field: str, keys: Iterable[str]) -> QuerySet[Any]:
    """The rows whose document has one of these keys as a text of its own."""
    return holding(rows, field, [f'"{one}"' for key in keys for one in written(key)])
