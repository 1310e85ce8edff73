from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from django.db.models import QuerySet

from flags.engine import Mention, Named, mentions_in, mentions_in_condition
from flags.models import Flag, FlagConfiguration, Segment
from portal.access.models import Environment, Project
from portal.approvals import emergencies
from portal.lib.stored_json import naming

# What approvals call a change of a configuration, and of a segment.
CONFIGURATION: Final = "flag.configuration"
SEGMENT: Final = "segment.edit"


@dataclass(slots=True)
class Use:
    """A flag or a segment that refers to something; for a flag, the environments it does so in."""

    kind: Named
    key: str
    title: str
    environments: list[Environment] = field(default_factory=list)


def uses_of(
    project: Project, kind: Named, key: str, *, variants: Iterable[str] | None = None
) -> list[Use]:
    """What refers to something, flags first; archived flags do not count.

    Of a flag, with ``variants``, only what names one of these. What a running emergency change goes
    back to counts as well: it must still be possible then.
    """
    wanted = None if variants is None else frozenset(variants)
    found: dict[str, Use] = {}
    for row in chain(mentioning(project, kind), going_back(project)):
        if _names(mentions_in(row.document), kind, key, wanted):
            use = found.setdefault(row.flag.key, Use(Named.FLAG, row.flag.key, row.flag.title))
            if row.environment not in use.environments:
                use.environments.append(row.environment)
    segments = _segments_naming(project, key) if kind is Named.SEGMENT else []
    uses = sorted(found.values(), key=lambda use: use.key)
    return uses + [Use(Named.SEGMENT, one.key, one.title) for one in segments]


def uses_of_all(project: Project) -> Counter[str]:
    """How many flags and segments refer to each segment of a project."""
    flags: dict[str, set[str]] = {}
    for row in mentioning(project, Named.SEGMENT):
        named = {one.key for one in mentions_in(row.document) if one.kind is Named.SEGMENT}
        flags.setdefault(row.flag.key, set()).update(named)
    everything = [*flags.values(), *segment_graph(project).values()]
    return Counter(key for named in everything for key in named)


def mentioning(
    project: Project, kind: Named, *, archived: bool = False
) -> Iterator[FlagConfiguration]:
    """The configurations that may name something of a kind, those of archived flags if wanted.

    The database finds them by the field's name alone, so that a project of thousands of flags is
    not read for the few that do.
    """
    rows = FlagConfiguration.objects.filter(flag__project=project)
    return _narrowed(rows if archived else _in_use(rows), kind).iterator(500)


def going_back(project: Project, flag: Flag | None = None) -> Iterator[FlagConfiguration]:
    """The configurations that running emergency changes go back to, of one flag or of all; as they
    would be, not as they are stored."""
    for request, document in emergencies.going_back(project, CONFIGURATION):
        if flag is not None and request.subject != flag.key:
            continue
        rows = FlagConfiguration.objects.select_related("flag", "environment")
        row = rows.get(
            flag__project=project, flag__key=request.subject, environment=request.environments.get()
        )
        row.enabled = bool(document["enabled"])
        row.targeting = {name: value for name, value in document.items() if name != "enabled"}
        yield row


def mentioning_in(environment: Environment, kind: Named) -> Iterator[FlagConfiguration]:
    rows = FlagConfiguration.objects.filter(environment=environment)
    return _narrowed(_in_use(rows), kind).iterator(500)


def _in_use(rows: QuerySet[FlagConfiguration]) -> QuerySet[FlagConfiguration]:
    return rows.filter(flag__archived_at__isnull=True)


def _narrowed(rows: QuerySet[FlagConfiguration], kind: Named) -> QuerySet[FlagConfiguration]:
    found = naming(rows, "targeting", [kind]).select_related("flag", "environment")
    return found.order_by("flag__key", "environment__position", "environment_id")


def segment_graph(project: Project) -> dict[str, frozenset[str]]:
    rows = Segment.objects.filter(project=project).values_list("key", "when")
    return {
        key: frozenset(one.key for one in mentions_in_condition(when, "when")) for key, when in rows
    }


def reaching(project: Project, key: str) -> set[str]:
    """A segment, and those that ask for it by way of others."""
    graph = segment_graph(project)
    return follow(
        {key}, lambda keys: {other for other, named in graph.items() if not named.isdisjoint(keys)}
    )


def follow(first: Iterable[str], named_by: Callable[[set[str]], Iterable[str]]) -> set[str]:
    """The first keys and all that they lead to, each asked once: a step at a time, ``named_by``
    tells what some of them name."""
    found: set[str] = set()
    waiting = set(first)
    while waiting:
        found |= waiting
        waiting = set(named_by(waiting)) - found
    return found


def flags_named_in(documents: Iterable[Mapping[str, Any]]) -> set[str]:
    """The flags that some configurations ask."""
    mentions = chain.from_iterable(map(mentions_in, documents))
    return {one.key for one in mentions if one.kind is Named.FLAG}


def _segments_naming(project: Project, key: str) -> list[Segment]:
    naming = [one for one, named in segment_graph(project).items() if key in named]
    naming += [
        request.subject
        for request, document in emergencies.going_back(project, SEGMENT)
        if any(one.key == key for one in mentions_in_condition(document["when"], "when"))
    ]
    return list(Segment.objects.filter(project=project, key__in=naming).defer("description"))


def _names(
    mentions: Iterable[Mention], kind: Named, key: str, variants: frozenset[str] | None
) -> bool:
    return any(
        one.kind is kind and one.key == key and (variants is None or variants & set(one.variants))
        for one in mentions
    )
