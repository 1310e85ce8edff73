"""What an import makes of each flag; nothing is stored here."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from flags.core import naming
from flags.core.parsing import configuration_from, definition_from, without_past_releases
from flags.engine import (
    Configuration,
    DocumentError,
    FlagDefinition,
    dump_configuration,
    dump_definition,
)
from flags.models import Flag, FlagConfiguration
from flags.references import referring
from flags.references.dependants import flags_named_in, follow
from flags.transfer.importers import ImportPlan, PlannedFlag, Skipped
from flags.transfer.importing.consistency import take_back_misleading
from flags.transfer.importing.dependencies import Dependencies, decide_dependencies
from flags.transfer.importing.target import (
    Document,
    FlagChange,
    ImportReport,
    ImportTarget,
    reason_of,
)
from portal.lib.errors import Invalid

REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Decision:
    """What an import is about to do: the rows are as they are to be, and nothing is stored."""

    changes: list[FlagChange]
    dependencies: Dependencies
    report: ImportReport

    @property
    def differs(self) -> bool:
        return bool(self.changes) or self.dependencies.differ

    @property
    def toggles(self) -> bool:
        return any(change.toggles for change in self.changes)


def decide(place: ImportTarget, plan: ImportPlan, *, replace: bool) -> Decision:
    """The changes to store, and the report of them. Segments and groups stay in either mode."""
    report = ImportReport(skipped=list(plan.skipped), notes=list(plan.notes))
    dependencies = decide_dependencies(place, plan, report)
    decided = []
    for planned in plan.flags:
        try:
            decided.append(_decide_one(place, planned, replace))
        except Invalid as error:
            report.skipped.append(Skipped(planned.key, reason_of(error)))
    changes = _without_misleading(place, dependencies, decided, report)
    changes += _bring_along(place, changes, report)
    if replace:
        absent = [_turn_off(place, flag) for flag in _absent(place, plan)]
        report.disabled = [change.flag.key for change in absent]
        changes += absent
    report.notes += naming.notes_of_alike(set(report.created), place.flags)
    report.notes += naming.notes_of_alike(set(report.segments.created), dependencies.known)
    report.notes += naming.notes_of_alike(set(report.groups.created), dependencies.slots)
    return Decision(changes, dependencies, report)


def _without_misleading(
    place: ImportTarget, dependencies: Dependencies, decided: list[FlagChange], report: ImportReport
) -> list[FlagChange]:
    kept, misleading = take_back_misleading(place, dependencies, decided)
    report.skipped += [Skipped(change.flag.key, reason_of(error)) for change, error in misleading]
    for change in kept:
        if change.is_new:
            report.created.append(change.flag.key)
        elif change.introduces:
            report.introduced.append(change.flag.key)
        elif change.differs:
            report.changed.append(change.flag.key)
        else:
            report.unchanged.append(change.flag.key)
    return [change for change in kept if change.is_new or change.differs]


def _bring_along(
    place: ImportTarget, changes: list[FlagChange], report: ImportReport
) -> list[FlagChange]:
    """The flags that those of the file ask, to the end, and that are not introduced here yet."""
    known = {change.flag.key for change in changes}
    introduced = [change.configuration for change in changes]
    introduced = [row for row in introduced if row.introduced]
    brought: list[FlagChange] = []

    def add(keys: set[str]) -> set[str]:
        flags = [place.flags[key] for key in sorted(keys - known) if key in place.flags]
        rows = [row for row in map(place.configuration, flags) if not row.introduced]
        brought.extend(map(_introduce, rows))
        return flags_named_in(row.document for row in rows)

    follow(flags_named_in(row.document for row in introduced), add)
    report.introduced += [change.flag.key for change in brought]
    return brought


def _introduce(configuration: FlagConfiguration) -> FlagChange:
    flag, before = configuration.flag, configuration.document
    configuration.introduced = True
    return FlagChange(flag, configuration, flag.document, before, configured=True)


def _absent(place: ImportTarget, plan: ImportPlan) -> Iterator[Flag]:
    """The flags that are on here, and that the file does not speak of."""
    for key, flag in sorted(place.flags.items()):
        if key not in plan.keys and not flag.is_archived and place.configuration(flag).enabled:
            yield flag


def _turn_off(place: ImportTarget, flag: Flag) -> FlagChange:
    configuration = place.configuration(flag)
    change = FlagChange(flag, configuration, flag.document, configuration.document, configured=True)
    configuration.enabled = False
    return change


def _decide_one(place: ImportTarget, planned: PlannedFlag, replace: bool) -> FlagChange:
    flag = place.flags.get(planned.key)
    if flag is None:
        return _create(place, planned)
    if flag.is_archived:
        raise Invalid({"": _("This flag is archived. Restore it first.")})
    configuration = place.configuration(flag)
    definition = definition_from(_merged(flag.document, planned.definition))
    wanted = _wanted(place, planned, definition, configuration, turn_off=replace)
    change = FlagChange(flag, configuration, flag.document, configuration.document)
    change.edited = _differs(lambda: dump_definition(flag.definition), dump_definition(definition))
    change.configured = _differs(
        lambda: dump_configuration(configuration.configuration), dump_configuration(wanted)
    )
    if change.edited:
        _refuse_breaking(place, flag, definition)
        flag.set_definition(definition)
    if change.configured:
        configuration.set_configuration(wanted)
    return change


def _create(place: ImportTarget, planned: PlannedFlag) -> FlagChange:
    definition = definition_from(planned.definition)
    naming.require_key(place.naming, definition.key)
    flag = Flag(project=place.environment.project, created_at=place.now, updated_at=place.now)
    flag.set_definition(definition)
    configuration = place.default(flag, definition, place.environment)
    change = FlagChange(flag, configuration, None, configuration.document)
    wanted = _wanted(place, planned, definition, configuration, turn_off=False)
    configuration.set_configuration(wanted)
    change.configured = configuration.document != change.configuration_before
    return change


def _wanted(
    place: ImportTarget,
    planned: PlannedFlag,
    definition: FlagDefinition,
    current: FlagConfiguration,
    *,
    turn_off: bool,
) -> Configuration:
    """The file's configuration; its salt is the one there is, unless the file names another.

    Where the file has none it stays as it is, but off if the file is to replace everything. What
    the file configures is introduced, unless it says that it is not; what is on always is, and
    nothing is taken back.
    """
    planned_document = planned.configuration
    document = {"salt": current.targeting["salt"], **(planned_document or current.document)}
    stays = document.get("enabled") is True or (current.pk and current.introduced)
    if document.get("introduced") is False and stays:
        document["introduced"] = True
    if planned_document is None and turn_off:
        document["enabled"] = False
    document = without_past_releases(document, current.document)
    return configuration_from(document, definition, under=f"environments.{place.environment.key}")


def _merged(current: Mapping[str, Any], planned: Mapping[str, Any]) -> Document:
    """The file's fields over the flag's own; variants keep the descriptions people gave them."""
    variants = planned.get("variants")
    if isinstance(variants, list):
        told = {v["key"]: v["description"] for v in current["variants"] if "description" in v}
        planned = {**planned, "variants": [_described(variant, told) for variant in variants]}
    return {**current, **planned}


def _described(variant: object, told: Mapping[str, str]) -> object:
    key = variant.get("key") if isinstance(variant, Mapping) else None
    if not isinstance(variant, Mapping) or not isinstance(key, str) or key not in told:
        return variant
    return {"description": told[key], **variant}


def _differs(stored: Callable[[], Document], wanted: Document) -> bool:
    """Compared as texts: 1 and True, or 1 and 1.0, are not the same to applications."""
    try:
        return json.dumps(stored(), sort_keys=True) != json.dumps(wanted, sort_keys=True)
    except DocumentError:  # what is stored is not valid any more
        return True


def _refuse_breaking(place: ImportTarget, flag: Flag, definition: FlagDefinition) -> None:
    """A flag keeps its value type and whatever other environments serve. Raises Invalid."""
    if definition.value_type != flag.value_type:
        text = _("It is {current} here and {wanted} in the file; a flag keeps its value type.")
        types = {"current": flag.value_type, "wanted": definition.value_type.value}
        raise Invalid({"value_type": text.format(**types)})
    referring.refuse_changing_kept(flag, definition)
    for environment in place.others:
        document = place.configurations[environment.pk][flag.pk].document
        configuration_from(document, definition, under=f"environments.{environment.key}")
