"""What a list of flags is narrowed to, and in which order it stands."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Coalesce, Lower, NullIf

from flags.engine import Kind
from flags.models import Favourite, Flag, FlagConfiguration
from portal.access.models import Project

MOST_COLUMNS = 3
PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class FlagFilter:
    """What a list of flags is narrowed to; empty values do not narrow.

    ``tags`` must all be there; ``owners`` are alternatives; ``states`` are (environment, on).
    ``sort`` names columns, those with a hyphen downwards. ``reader`` is whose favourites count,
    ``environment`` the one whose rules are searched; empty for all.
    """

    search: str = ""
    kind: str = ""
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    states: tuple[tuple[str, bool], ...] = ()
    favourite: bool = False
    archived: bool = False
    stage: str = ""
    sort: tuple[str, ...] = ()
    reader: int = 0
    environment: str = ""
    after: str = ""
    size: int = PAGE_SIZE

    @property
    def narrows(self) -> bool:
        narrowing = (self.search, self.kind, self.tags, self.owners, self.states, self.stage)
        return any(narrowing) or self.favourite


@dataclass(frozen=True, slots=True)
class Column:
    """Something to sort by, and how its value is read from a cursor. ``read`` raises ValueError."""

    expression: Callable[[FlagFilter], Any]
    read: Callable[[str], object] = str


def _own_favourite(wanted: FlagFilter) -> Exists:
    return Exists(Favourite.objects.filter(flag=OuterRef("pk"), user=wanted.reader))


COLUMNS: dict[str, Column] = {
    "favourite": Column(
        lambda wanted: Case(When(_own_favourite(wanted), then=Value(0)), default=Value(1)), int
    ),
    "name": Column(lambda _wanted: Lower(Coalesce(NullIf("name", Value("")), "key"))),
    "kind": Column(lambda _wanted: F("kind")),
    "owner": Column(lambda _wanted: Lower("owner")),
    "created": Column(lambda _wanted: F("created_at"), datetime.fromisoformat),
    "updated": Column(lambda _wanted: F("updated_at"), datetime.fromisoformat),
}


def read_sort(text: str) -> tuple[str, ...]:
    """The columns in a text like ``kind,-updated``; what is none is left out."""
    named = [one.strip() for one in text.split(",")]
    known = [one for one in dict.fromkeys(named) if one.removeprefix("-") in COLUMNS]
    return tuple(known[:MOST_COLUMNS])


def matching(project: Project, wanted: FlagFilter) -> QuerySet[Flag]:
    """The flags of a project that match, in the order that is wanted."""
    flags = project.flags.archived() if wanted.archived else project.flags.alive()
    if wanted.search:
        flags = flags.filter(_found(project, wanted))
    if wanted.kind in {kind.value for kind in Kind}:
        flags = flags.filter(kind=wanted.kind)
    if wanted.owners:
        flags = flags.filter(owner__in=wanted.owners)
    for environment, enabled in wanted.states:
        here = FlagConfiguration.objects.filter(environment__project=project, enabled=enabled)
        here = here.filter(introduced=True)
        flags = flags.filter(pk__in=here.filter(environment__key=environment).values("flag"))
    if wanted.favourite:
        flags = flags.filter(_own_favourite(wanted))
    if wanted.tags:
        flags = flags.filter(pk__in=_tagged(flags, set(wanted.tags)))
    columns = {f"sort_{i}": _column(one, wanted) for i, one in enumerate(wanted.sort)}
    return flags.annotate(**columns).order_by(*_order(wanted), "key")


def rest(flags: QuerySet[Flag], wanted: FlagFilter) -> QuerySet[Flag]:
    """The flags after the cursor; all of them where it is none.

    A cursor holds the values that the last flag was sorted by, so that nothing that is created,
    renamed or archived meanwhile shifts a page.
    """
    if not wanted.after:
        return flags
    if not wanted.sort:
        return flags.filter(key__gt=wanted.after)
    values = _values(wanted)
    return flags.filter(_beyond(wanted, values)) if values else flags


def cursor(flag: Flag, wanted: FlagFilter) -> str:
    """Where a page ended."""
    if not wanted.sort:
        return flag.key
    values = [getattr(flag, f"sort_{index}") for index in range(len(wanted.sort))]
    texts = [v.isoformat() if isinstance(v, datetime) else str(v) for v in values]
    return json.dumps([*texts, flag.key], ensure_ascii=False)


def _values(wanted: FlagFilter) -> list[object]:
    """What a cursor holds; empty where somebody made it up."""
    try:
        texts = json.loads(wanted.after)
        columns = [COLUMNS[one.removeprefix("-")] for one in wanted.sort]
        readers: list[Callable[[str], object]] = [column.read for column in columns]
        readers.append(str)
        if not all(isinstance(text, str) and "\0" not in text for text in texts):
            return []
        return [read(text) for read, text in zip(readers, texts, strict=True)]
    except (ValueError, TypeError, RecursionError):
        return []


def _beyond(wanted: FlagFilter, values: list[object]) -> Q:
    """Later in the order: equal in the first columns, and beyond in the next."""
    found, equal = Q(), Q()
    fields = [*(f"sort_{i}" for i in range(len(wanted.sort))), "key"]
    for field, name, value in zip(fields, [*wanted.sort, "key"], values, strict=True):
        step = "lt" if name.startswith("-") else "gt"
        found |= equal & Q(**{f"{field}__{step}": value})
        equal &= Q(**{field: value})
    return found


def _column(name: str, wanted: FlagFilter) -> Any:
    return COLUMNS[name.removeprefix("-")].expression(wanted)


def _order(wanted: FlagFilter) -> list[str]:
    return [f"{'-' * one.startswith('-')}sort_{i}" for i, one in enumerate(wanted.sort)]


def _tagged(flags: QuerySet[Flag], tags: set[str]) -> list[int]:
    return [pk for pk, held in flags.values_list("pk", "tags") if tags <= set(held)]


def _found(project: Project, wanted: FlagFilter) -> Q:
    """In what a flag says of itself, its tags and variants, and the attributes its rules ask.

    SQLite keeps JSON as it was written, with escapes; PostgreSQL without them.
    """
    text, plain = wanted.search, ("key", "name", "description", "owner")
    found = Q(*[Q(**{f"{field}__icontains": text}) for field in plain], _connector=Q.OR)
    for escaped in _escaped(text):
        found |= Q(pk__in=_holding(Flag.objects.all(), "tags", escaped).values("pk"))
        found |= Q(pk__in=_holding(Flag.objects.all(), "variants", escaped).values("pk"))
        rules = FlagConfiguration.objects.filter(flag__project=project)
        if wanted.environment:
            rules = rules.filter(environment__key=wanted.environment)
        asked = f'"attribute": "{escaped}'
        found |= Q(pk__in=_holding(rules, "targeting", asked).values("flag"))
    return found


def _holding(rows: QuerySet[Any], field: str, text: str) -> QuerySet[Any]:
    as_text: QuerySet[Any] = rows.annotate(found=Cast(field, TextField()))
    return as_text.filter(found__icontains=text)


def _escaped(text: str) -> set[str]:
    return {json.dumps(text, ensure_ascii=how)[1:-1] for how in (True, False)}
