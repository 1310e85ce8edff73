"""The import itself: lock, decide, store, record; or do all of it and take it back."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from django.db import transaction
from django.db.models import Manager, Model
from django.utils.translation import gettext as _

from flags.core import configurations
from flags.engine import Named
from flags.exclusion_groups.services import store_group
from flags.models import Flag, FlagConfiguration
from flags.segments.services import store_segment
from flags.transfer.importers import (
    FileRefused,
    ImportPlan,
    UnknownBucketing,
    UnknownFormat,
    plan_import,
)
from flags.transfer.importing.change_builder import Reached, import_change, reached_by
from flags.transfer.importing.deciding import REPLACE, Decision, decide
from flags.transfer.importing.dependencies import Dependencies, beside_present
from flags.transfer.importing.target import FlagChange, ImportReport, ImportTarget
from portal.access import outbox
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals import gate
from portal.approvals.services import gated
from portal.lib import journal
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import Actor, Entry, Intent

MODES = ("merge", REPLACE)


def import_document(
    *,
    format_name: str,
    document: object,
    environment: Environment,
    mode: str,
    dry_run: bool,
    intent: Intent,
    bucketing: str | None = None,
) -> ImportReport:
    """Import a file that has been parsed; see import_flags.

    Raises Invalid where the format or, for a file of flagd's, the ``bucketing`` is unknown, or the
    file as a whole is not what it should be.
    """
    try:
        plan = plan_import(format_name, document, environment=environment.key, bucketing=bucketing)
    except UnknownFormat as error:
        raise Invalid({"format": str(error)}) from None
    except UnknownBucketing as error:
        raise Invalid({"bucketing": str(error)}) from None
    except FileRefused as error:
        raise Invalid({"": str(error)}) from None
    return import_flags(
        environment=environment, plan=plan, mode=mode, dry_run=dry_run, intent=intent
    )


@gated
def import_flags(
    *,
    environment: Environment,
    plan: ImportPlan,
    mode: str,
    dry_run: bool,
    intent: Intent,
    base_version: str | None = None,
) -> ImportReport:
    """Create and change flags as planned; one version per environment, audit rows per flag.

    Every environment gets the file's segments and exclusion groups; none is ever deleted. New flags
    are off in every other environment; a flag whose new definition would break another
    environment's is skipped. Mode "replace" also turns off, here alone, the flags that the file
    does not have. A dry run takes all of it back, and asks nobody for approval. Raises Forbidden
    (see _require_rights), Invalid for an unknown mode, Conflict at another version, Waiting.
    """
    gate.require(intent, Permission.FLAG_EDIT, project=environment.project, environment=environment)
    if mode not in MODES:
        raise Invalid.of("mode", _("Choose one of: {modes}."), modes=", ".join(MODES))
    place = ImportTarget.load(environment, intent.at)
    version = place.environment.version
    if base_version is not None and base_version != place.base_version:
        raise Conflict(_("Flags were changed meanwhile."), current={}, yours={"mode": mode})
    plan = beside_present(place, plan)
    decision = decide(place, plan, replace=mode == REPLACE)
    reached = reached_by(place, decision)
    _require_rights(decision, reached, environment, intent)
    why = " ".join(filter(None, [intent.reason, f"import ({plan.source})"]))
    intent = replace(intent, reason=why)
    if reached.agreeing and not dry_run:
        intent = gate.check(import_change(place, plan, mode, decision, reached), intent).intent
    store_dependencies(place, decision.dependencies, intent)
    store(place, decision.changes, intent.actor)
    record(place, decision.changes, intent)
    decision.report.dry_run = dry_run
    decision.report.version = version if dry_run else place.environment.version
    if dry_run:
        transaction.set_rollback(True)
    return decision.report


def _require_rights(
    decision: Decision, reached: Reached, environment: Environment, intent: Intent
) -> None:
    """``flag.toggle`` where a flag goes on or off, ``segment.edit`` in the whole project where a
    segment or a group is created or changed; a key needs both where evaluators beyond its
    environment get other answers."""
    project = environment.project
    if decision.toggles:
        gate.require(intent, Permission.FLAG_TOGGLE, project=project, environment=environment)
    if decision.dependencies.differ:
        gate.require(intent, Permission.SEGMENT_EDIT, project=project, environment=None)
    for permission, places in (
        (Permission.FLAG_EDIT, reached.definitions),
        (Permission.SEGMENT_EDIT, reached.dependencies),
    ):
        gate.require_in_each(intent, permission, environments=places, project=project)


# Writing an import down: rows in bulk, one version per environment, an audit row per flag.


_BATCH = 500
Row = TypeVar("Row", bound=Model)


def store_dependencies(place: ImportTarget, dependencies: Dependencies, intent: Intent) -> None:
    for environment in (place.environment, *place.others):
        for kind, found in (
            (Named.SEGMENT, dependencies.segments),
            (Named.GROUP, dependencies.groups),
        ):
            _advance(place, environment, [one.row.key for one in found], kind=kind)
    for segment in dependencies.segments:
        store_segment(segment.row, segment.before, intent=intent)
    for group in dependencies.groups:
        if group.before is None:
            group.row.created_at = place.now
        store_group(group.row, group.before, intent=intent)


def store(place: ImportTarget, changes: list[FlagChange], actor: Actor) -> None:
    new = [change for change in changes if change.is_new]
    edited = [change for change in changes if change.edited]
    _store_flags(place, new, edited)
    everywhere = [change.flag.key for change in (*new, *edited)]
    for environment in place.others:
        _advance(place, environment, everywhere)
        _follow(environment, edited)
        _store_defaults(place, environment, new)
    _advance(place, place.environment, [change.flag.key for change in changes])
    _store_configurations(place, changes, actor)


def _advance(
    place: ImportTarget, environment: Environment, keys: list[str], *, kind: str = Named.FLAG
) -> None:
    if keys:
        outbox.advance(environment, kind=kind, keys=keys, now=place.now)


def _store_flags(place: ImportTarget, new: list[FlagChange], edited: list[FlagChange]) -> None:
    Flag.objects.bulk_create([change.flag for change in new], batch_size=_BATCH)
    flags = [change.flag for change in edited]
    for flag in flags:
        flag.version += 1
        flag.updated_at = place.now
    fields = ["name", "kind", "variants", "client_visible", "description", "tags", "owner"]
    fields += ["permanent", "metadata", "version", "updated_at"]
    _update(Flag.objects, flags, fields)


def _update(rows: Manager[Row], changed: list[Row], fields: list[str]) -> None:
    """Rows that are all there already. A bulk_update, one CASE per row and field, takes ten times
    as long."""
    rows.bulk_create(
        changed,
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=fields,
    )


def _follow(environment: Environment, edited: list[FlagChange]) -> None:
    """An edited flag is a new one to the evaluators of every environment."""
    for part in _parts([change.flag.pk for change in edited]):
        found = FlagConfiguration.objects.filter(environment=environment, flag_id__in=part)
        found.update(version=environment.version)


def _store_defaults(place: ImportTarget, environment: Environment, new: list[FlagChange]) -> None:
    rows = []
    for change in new:
        configuration = place.default(change.flag, change.flag.definition, environment)
        configuration.environment = environment
        configuration.version = environment.version
        change.elsewhere[environment.key] = configuration.document
        rows.append(configuration)
    FlagConfiguration.objects.bulk_create(rows, batch_size=_BATCH)


def _store_configurations(place: ImportTarget, changes: list[FlagChange], actor: Actor) -> None:
    for change in changes:
        row = change.configuration
        row.flag, row.environment = change.flag, place.environment
        row.version = place.environment.version
        if change.configured:
            row.updated_at, row.updated_by = place.now, actor.label
    new = [change.configuration for change in changes if change.is_new]
    FlagConfiguration.objects.bulk_create(new, batch_size=_BATCH)
    kept = [change.configuration for change in changes if not change.is_new]
    fields = ["enabled", "introduced", "targeting", "version", "updated_at", "updated_by"]
    _update(FlagConfiguration.objects, kept, fields)


def record(place: ImportTarget, changes: Iterable[FlagChange], intent: Intent) -> None:
    journal.write_all(entry for change in changes for entry in _entries(place, change, intent))


def _entries(place: ImportTarget, change: FlagChange, intent: Intent) -> Iterator[Entry]:
    """One row says all of a new flag, as a large file brings thousands; else one per document."""
    document, row = change.flag.document, change.configuration
    configuration, row.flag, row.environment = row.document, change.flag, place.environment
    if change.is_new:
        environments = {**change.elsewhere, place.environment.key: configuration}
        yield intent.entry("flag.created", row, after={**document, "environments": environments})
        return
    if change.edited:
        before = change.definition_before
        yield intent.entry("flag.edited", change.flag, before=before, after=document)
    if change.configured:
        before = change.configuration_before
        event = configurations.change_event(before, configuration)
        yield intent.entry(event, row, before=before, after=configuration)


def _parts(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]
