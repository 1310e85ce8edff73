from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import (
    Case,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Lower, NullIf

from flags.engine import Kind
from flags.models import Favourite, Flag, FlagConfiguration
from portal.access.models import Project
from portal.lib.paging import SIZE
from portal.lib.stored_json import holding, written

MOST_COLUMNS = 3


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
    before: str = ""
    size: int = SIZE

    @property
    def narrows(self) -> bool:
        narrowing = (self.search, self.kind, self.tags, self.owners, self.states, self.stage)
        return any(narrowing) or self.favourite


def _own_favourite(wanted: FlagFilter) -> Exists:
    return Exists(Favourite.objects.filter(flag=OuterRef("pk"), user=wanted.reader))


COLUMNS: dict[str, Callable[[FlagFilter], Any]] = {
    "favourite": lambda wanted: Case(
        When(_own_favourite(wanted), then=Value(0)), default=Value(1), output_field=IntegerField()
    ),
    "name": lambda _wanted: Lower(Coalesce(NullIf("name", Value("")), "key")),
    "kind": lambda _wanted: F("kind"),
    "owner": lambda _wanted: Lower("owner"),
    "created": lambda _wanted: F("created_at"),
    "updated": lambda _wanted: F("updated_at"),
}


def read_sort(text: str) -> tuple[str, ...]:
    """The columns in a text like ``kind,-updated``; unknown names are left out."""
    named = [one.strip() for one in text.split(",")]
    known = [one for one in dict.fromkeys(named) if one.removeprefix("-") in COLUMNS]
    return tuple(known[:MOST_COLUMNS])


def matching(project: Project, wanted: FlagFilter) -> QuerySet[Flag]:
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
    columns = {
        f"sort_{i}": COLUMNS[one.removeprefix("-")](wanted) for i, one in enumerate(wanted.sort)
    }
    order = [f"{'-' * one.startswith('-')}sort_{i}" for i, one in enumerate(wanted.sort)]
    return flags.annotate(**columns).order_by(*order, "key")


def _tagged(flags: QuerySet[Flag], tags: set[str]) -> list[int]:
    return [pk for pk, held in flags.values_list("pk", "tags") if tags <= set(held)]


def _found(project: Project, wanted: FlagFilter) -> Q:
    text, plain = wanted.search, ("key", "name", "description", "owner")
    found = Q(*[Q(**{f"{field}__icontains": text}) for field in plain], _connector=Q.OR)
    rules = FlagConfiguration.objects.filter(flag__project=project)
    if wanted.environment:
        rules = rules.filter(environment__key=wanted.environment)
    escaped = written(text)
    read = [f'"attribute": "{one}' for one in escaped]
    holds = partial(holding, lookup="icontains")
    found |= Q(pk__in=holds(Flag.objects.all(), "tags", escaped).values("pk"))
    found |= Q(pk__in=holds(Flag.objects.all(), "variants", escaped).values("pk"))
    return found | Q(pk__in=holds(rules, "targeting", read).values("flag"))
