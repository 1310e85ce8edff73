"""What a write may refer to, and what keeps a thing from going: one place for all writes of flags.

All of it runs under the caller's locks. A configuration is written under its environment's row, and
what every environment sees under the rows of them all: so of two writes that would close a cycle
together, or of one that refers to what another removes, the second sees what the first did.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any

from django.utils.translation import gettext as _

from flags.engine import (
    Configuration,
    DocumentError,
    FlagDefinition,
    Mention,
    Named,
    depth_of,
    dump_configuration,
    dump_definition,
    find_cycle,
    limits,
    mentions_in,
    mentions_in_condition,
)
from flags.models import ExclusionGroup, Flag, FlagConfiguration
from flags.references.dependants import (
    Use,
    flags_named_in,
    going_back,
    mentioning_in,
    segment_graph,
    uses_of,
)
from portal.access.models import Environment, Project
from portal.lib.errors import Invalid, refuse

Graph = Mapping[str, frozenset[str]]


class InUse(Invalid):
    """Something cannot go, or change like this, because others refer to it: ``uses`` says which."""

    status = 409

    def __init__(self, path: str, text: str, uses: list[Use]) -> None:
        named = ", ".join(_describe(use) for use in uses[:_MOST_NAMED])
        more = len(uses) - _MOST_NAMED
        if more > 0:
            named = _("{names} and {more} more").format(names=named, more=more)
        super().__init__({path: text.format(uses=named)})
        self.uses, self._path, self._text = uses, path, text

    def seen_from(self, environment: str) -> Invalid:
        """Without the flags that refer to it in other environments alone."""
        seen = [
            replace(use, environments=[one for one in use.environments if one.key == environment])
            for use in self.uses
        ]
        kept = [use for use in seen if use.environments or use.kind is not Named.FLAG]
        if kept or not self.uses:
            return InUse(self._path, self._text, kept)
        return InUse(self._path, _("An environment that this key does not reach needs it."), [])

    @property
    def extras(self) -> dict[str, object]:
        used_by = [
            {
                "kind": str(use.kind),
                "key": use.key,
                "environments": [place.key for place in use.environments],
            }
            for use in self.uses
        ]
        return {**super().extras, "used_by": used_by}


_MOST_NAMED = 5


def _describe(use: Use) -> str:
    if use.kind is Named.SEGMENT:
        return _("segment “{key}”").format(key=use.key)
    places = ", ".join(place.name for place in use.environments)
    return _("flag “{key}” ({places})").format(key=use.key, places=places)


@dataclass(frozen=True)
class Neighbours:
    """What the documents of one environment may refer to, by keys.

    ``flags`` are those in use with their variants, ``slots`` the groups with the flags that have
    a part of them, ``graph`` which flag asks which, the one in question included.
    """

    flags: Mapping[str, frozenset[str]] = field(default_factory=dict)
    segments: frozenset[str] = frozenset()
    slots: Graph = field(default_factory=dict)
    graph: Graph = field(default_factory=dict)

    @cached_property
    def asked_by(self) -> Graph:
        return _turned(self.graph)


def check_configuration(flag: Flag, environment: Environment, wanted: Configuration) -> None:
    mentions = list(mentions_in(dump_configuration(wanted)))
    if mentions:
        refuse(problems_of(flag.key, mentions, _neighbours(flag, environment, mentions)))


def check_restored(flag: Flag) -> None:
    for row in FlagConfiguration.objects.filter(flag=flag).select_related("environment"):
        try:
            check_configuration(flag, row.environment, row.configuration)
        except Invalid as error:
            place = f"environments.{row.environment.key}"
            raise Invalid({f"{place}.{p}": text for p, text in error.problems.items()}) from None
        except DocumentError:
            continue  # evaluators answer this flag with an error, as they did before


def check_segment(key: str, when: Mapping[str, Any], project: Project) -> None:
    mentions = list(mentions_in_condition(when, "when"))
    graph = segment_graph(project) | {key: frozenset(one.key for one in mentions)}
    refuse(problems_of_segment(key, mentions, graph))


def refuse_unless_unused(
    project: Project, kind: Named, key: str, text: str, *, path: str = ""
) -> None:
    """Raise InUse where something refers to it; ``text`` names the ``{uses}``."""
    uses = uses_of(project, kind, key)
    if uses:
        raise InUse(path, text, uses)


def refuse_removing_variants(flag: Flag, kept: Iterable[str]) -> None:
    gone = {variant["key"] for variant in flag.variants} - set(kept)
    uses = uses_of(flag.project, Named.FLAG, flag.key, variants=gone) if gone else []
    if uses:
        raise InUse("variants", _("Keep the variants that other flags name: {uses}."), uses)


Kept = tuple[Collection[str], str]
# What may still come back of a flag: each gives variants of it, and who would bring them back.
keepers: list[Callable[[Flag], Iterable[Kept]]] = []


def kept_variants(flag: Flag) -> Iterator[Kept]:
    return chain.from_iterable(keeps(flag) for keeps in keepers)


def refuse_changing_kept(flag: Flag, definition: FlagDefinition) -> None:
    """Raise Invalid where a variant that may still come back would be gone, or another value."""
    wanted = _without_descriptions(dump_definition(definition)["variants"])
    stored = _without_descriptions(flag.variants)
    changed = {key for key, variant in stored.items() if wanted.get(key) != variant}
    for keys, who in kept_variants(flag) if changed else ():
        if lost := ", ".join(sorted(changed & set(keys))):
            text = _("{who} still needs {variants} as it is. Let it end first.")
            raise Invalid.of("variants", text, who=who, variants=lost)


def _without_descriptions(variants: Any) -> dict[str, dict[str, Any]]:
    return {
        one["key"]: {name: said for name, said in one.items() if name != "description"}
        for one in variants
    }


def problems_of(key: str, mentions: Iterable[Mention], neighbours: Neighbours) -> dict[str, str]:
    """What is wrong with the references of the flag ``key``: path -> one sentence. Pure."""
    problems = {one.path: _PROBLEMS[one.kind](key, one, neighbours) for one in mentions}
    found = {path: text for path, text in problems.items() if text}
    asked = {one.path: one.key for one in mentions if one.kind is Named.FLAG}
    if found or not asked:
        return found
    return _problems_of_chains(key, asked, neighbours.graph, neighbours.asked_by)


def problems_of_segment(key: str, mentions: Iterable[Mention], graph: Graph) -> dict[str, str]:
    named = {one.path: one.key for one in mentions}
    found = {path: _no_segment(one) for path, one in named.items() if one not in graph}
    return found or _problems_of_chains(key, named, graph, _turned(graph))


def _no_segment(key: str) -> str:
    return _("There is no segment “{key}” in this project.").format(key=key)


def _segment_problem(_key: str, one: Mention, neighbours: Neighbours) -> str:
    return "" if one.key in neighbours.segments else _no_segment(one.key)


def _group_problem(key: str, one: Mention, neighbours: Neighbours) -> str:
    if one.key not in neighbours.slots:
        return _("There is no exclusion group “{key}” in this project.").format(key=one.key)
    if key not in neighbours.slots[one.key]:
        text = _("Give this flag a share of the exclusion group “{key}” first.")
        return text.format(key=one.key)
    return ""


def _flag_problem(key: str, one: Mention, neighbours: Neighbours) -> str:
    if one.key == key:
        return _("A flag cannot depend on itself; choose another one.")
    variants = neighbours.flags.get(one.key)
    if variants is None:
        return _("There is no flag “{key}” in use in this project.").format(key=one.key)
    unknown = [variant for variant in one.variants if variant not in variants]
    if unknown:
        text = _("The flag “{key}” has no variant “{variant}”.")
        return text.format(key=one.key, variant=unknown[0])
    return ""


_PROBLEMS = {
    Named.FLAG: _flag_problem,
    Named.SEGMENT: _segment_problem,
    Named.GROUP: _group_problem,
}


def _problems_of_chains(
    key: str, named: Mapping[str, str], graph: Graph, turned: Graph
) -> dict[str, str]:
    """Cycles and chains that are too long, at the places of ``key`` that make them."""
    cycle = find_cycle(key, graph)
    if cycle:
        text = _("This creates a cycle: {way}.").format(way=" → ".join(cycle))
        return {path: text for path, one in named.items() if one == cycle[1]}
    most = limits.MAX_REFERENCE_DEPTH
    chain = depth_of(key, turned, most=most) + depth_of(key, graph, most=most) - 1
    if chain <= most or not named:
        return {}
    text = _("This makes a chain of more than {most} that refer to one another; shorten it.")
    return {next(iter(named)): text.format(most=most)}


def _turned(graph: Graph) -> Graph:
    turned: dict[str, set[str]] = {}
    for key, named in graph.items():
        for one in named:
            turned.setdefault(one, set()).add(key)
    return {key: frozenset(by) for key, by in turned.items()}


def _neighbours(flag: Flag, environment: Environment, mentions: Iterable[Mention]) -> Neighbours:
    """As much of the neighbourhood as the mentions ask about."""
    project = flag.project
    kinds = {one.kind for one in mentions}
    asked = [one.key for one in mentions if one.kind is Named.FLAG]
    return Neighbours(
        flags=variants_by_flag(Flag.objects.alive().filter(project=project, key__in=asked)),
        segments=frozenset(segment_graph(project)) if Named.SEGMENT in kinds else frozenset(),
        slots=slots_of(project) if Named.GROUP in kinds else {},
        graph=_flag_graph(environment) | {flag.key: frozenset(asked)} if asked else {},
    )


def variants_by_flag(flags: Iterable[Flag]) -> dict[str, frozenset[str]]:
    return {flag.key: frozenset(one["key"] for one in flag.variants) for flag in flags}


def slots_of(project: Project) -> dict[str, frozenset[str]]:
    rows = ExclusionGroup.objects.filter(project=project).values_list("key", "slots")
    return {key: frozenset(slot["flag"] for slot in slots) for key, slots in rows}


def _flag_graph(environment: Environment) -> dict[str, frozenset[str]]:
    """Which flag asks which, now or once running emergency changes have ended."""
    graph: dict[str, frozenset[str]] = {}
    back = (row for row in going_back(environment.project) if row.environment == environment)
    for row in chain(mentioning_in(environment, Named.FLAG), back):
        graph[row.flag.key] = graph.get(row.flag.key, frozenset()) | flags_named_in([row.document])
    return graph
