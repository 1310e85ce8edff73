"""Writing an import down: rows in bulk, one version per environment, an audit row per flag."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from django.db.models import Manager, Model

from flags.engine import Named
from flags.models import Flag, FlagConfiguration
from flags.services import configurations
from flags.services.groups import store_group
from flags.services.importing.cohorts import Cohorts
from flags.services.importing.place import Change, Place
from flags.services.segments import store_segment
from portal.access import outbox
from portal.access.models import Environment
from portal.lib import journal
from portal.lib.intent import Intent
from portal.lib.journal import Actor, Entry

_BATCH = 500
Row = TypeVar("Row", bound=Model)


def store_cohorts(place: Place, cohorts: Cohorts, intent: Intent) -> None:
    """Write segments and groups, their audit rows, and word of them for every environment."""
    for environment in (place.environment, *place.others):
        for kind, found in ((Named.SEGMENT, cohorts.segments), (Named.GROUP, cohorts.groups)):
            _advance(place, environment, [one.row.key for one in found], kind=kind)
    for segment in cohorts.segments:
        store_segment(segment.row, segment.before, intent=intent)
    for group in cohorts.groups:
        if group.before is None:
            group.row.created_at = place.now
        store_group(group.row, group.before, intent=intent)


def store(place: Place, changes: list[Change], actor: Actor) -> None:
    """Write flags, configurations and word of them for the evaluators."""
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
    place: Place, environment: Environment, keys: list[str], *, kind: str = Named.FLAG
) -> None:
    if keys:
        outbox.advance(environment, kind=kind, keys=keys, now=place.now)


def _store_flags(place: Place, new: list[Change], edited: list[Change]) -> None:
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


def _follow(environment: Environment, edited: list[Change]) -> None:
    """An edited flag is a new one to the evaluators of every environment."""
    for part in _parts([change.flag.pk for change in edited]):
        found = FlagConfiguration.objects.filter(environment=environment, flag_id__in=part)
        found.update(version=environment.version)


def _store_defaults(place: Place, environment: Environment, new: list[Change]) -> None:
    rows = []
    for change in new:
        configuration = place.default(change.flag, change.flag.definition, environment)
        configuration.environment = environment
        configuration.version = environment.version
        change.elsewhere[environment.key] = configuration.document
        rows.append(configuration)
    FlagConfiguration.objects.bulk_create(rows, batch_size=_BATCH)


def _store_configurations(place: Place, changes: list[Change], actor: Actor) -> None:
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


def record(place: Place, changes: Iterable[Change], intent: Intent) -> None:
    """Write the audit rows: what each flag became, and what it now does here."""
    journal.write_all(entry for change in changes for entry in _entries(place, change, intent))


def _entries(place: Place, change: Change, intent: Intent) -> Iterator[Entry]:
    """One row says all of a new flag, as a large file brings thousands; else one per document."""
    document, row = change.flag.document, change.configuration
    configuration, row.flag, row.environment = row.document, change.flag, place.environment
    if change.is_new:
        environments = {**change.elsewhere, place.environment.key: configuration}
        after = {**document, "environments": environments}
        yield intent.entry("flag.created", row, after=after)
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
