"""Taking out of an import what would refer to nothing, or make a cycle."""

from collections.abc import Iterator
from functools import cached_property

from django.utils.translation import gettext as _

from flags.engine import Named, mentions_in
from flags.references import referring
from flags.references.dependants import flags_named_in
from flags.transfer.importing.dependencies import Dependencies, problems_of_refused
from flags.transfer.importing.target import Document, FlagChange, ImportTarget
from portal.lib.errors import Invalid

TakenBack = tuple[FlagChange, Invalid]


def take_back_misleading(
    place: ImportTarget, dependencies: Dependencies, decided: list[FlagChange]
) -> tuple[list[FlagChange], list[TakenBack]]:
    """The changes that hold together, and those that do not, taken back, each with the reason.

    Flags of one file may refer to each other in any order, and to its segments and groups. Taking
    one back can leave another without what it refers to, so they are asked again until all that is
    left holds.
    """
    kept, refused = decided, list[TakenBack]()
    while True:
        neighbourhood = _Neighbourhood(place, dependencies, kept)
        found = [(one, error) for one in kept if (error := neighbourhood.refusal_of(one))]
        if not found:
            return kept, refused
        for change, _error in found:
            change.take_back()
        gone = {id(change) for change, _error in found}
        kept = [one for one in kept if id(one) not in gone]
        refused += found


class _Neighbourhood:
    """The project as it would be after these changes."""

    def __init__(
        self, place: ImportTarget, dependencies: Dependencies, changes: list[FlagChange]
    ) -> None:
        flags = place.flags | {change.flag.key: change.flag for change in changes}
        self._place, self._refused = place, dependencies.refused
        self._documents = {
            key: place.configuration(flag).document
            for key, flag in place.flags.items()
            if not flag.is_archived
        } | {change.flag.key: change.configuration.document for change in changes}
        self._neighbours = referring.Neighbours(
            flags=referring.variants_by_flag(one for one in flags.values() if not one.is_archived),
            segments=dependencies.known,
            slots=dependencies.slots,
            graph={
                key: frozenset(flags_named_in([document]))
                for key, document in self._documents.items()
            },
        )

    def refusal_of(self, change: FlagChange) -> Invalid | None:
        """Why a change cannot be; None where it can."""
        key, problems = change.flag.key, dict[str, str]()
        if change.is_new or change.configured:
            mentions = list(mentions_in(change.configuration.document))
            problems = problems_of_refused(mentions, self._refused) or referring.problems_of(
                key, mentions, self._neighbours
            )
        if change.edited and not problems:
            problems = self._removed_variants(change)
        return Invalid(problems) if problems else None

    def _removed_variants(self, change: FlagChange) -> dict[str, str]:
        before = {variant["key"] for variant in (change.definition_before or {})["variants"]}
        gone = before - {variant["key"] for variant in change.flag.variants}
        if not any((change.flag.key, variant) in self._named for variant in gone):
            return {}
        return {"variants": _("Other flags name a variant that this would remove.")}

    @cached_property
    def _named(self) -> set[tuple[str, str]]:
        """Every variant that a flag in use names, in any environment."""
        return set(_named_variants([*self._documents.values(), *_documents_elsewhere(self._place)]))


def _documents_elsewhere(place: ImportTarget) -> Iterator[Document]:
    alive = {flag.pk for flag in place.flags.values() if not flag.is_archived}
    for environment in place.others:
        for pk, configuration in place.configurations[environment.pk].items():
            if pk in alive:
                yield configuration.document


def _named_variants(documents: list[Document]) -> Iterator[tuple[str, str]]:
    for document in documents:
        for one in mentions_in(document):
            if one.kind is Named.FLAG:
                yield from ((one.key, variant) for variant in one.variants)
