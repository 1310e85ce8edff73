from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from flags.core import naming
from flags.core.parsing import segment_from
from flags.engine import Named, Segment as SegmentDocument, dump_segment
from flags.models import ExclusionGroup, KeyList, Segment
from flags.models.segment import ABOUT_FIELDS, LISTS, list_of
from flags.references import referring
from flags.references.effects import advance_all, kind_of, let_through
from flags.segments import changes, key_lists, selectors as segment_selectors
from flags.segments.key_lists import KeyChange, KeyReport
from portal.access import authority, outbox
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.approvals import gate
from portal.approvals.changes import same_document
from portal.approvals.services import gated
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import Intent

SMALL = 200
"""Keys added or removed that an audit row names one by one; of more it has digests and counts."""
_ATTEMPTS = 5


@transaction.atomic
def create_segment(*, project: Project, document: object, intent: Intent) -> Segment:
    """Create a segment. Nothing refers to it yet, so nobody is served otherwise by it.

    Raises Forbidden without ``segment.edit``; Invalid when the document is, or the key is taken.
    """
    authority.require(intent.actor, Permission.SEGMENT_EDIT, project=project)
    wanted = segment_from(document)
    environments = outbox.lock_project(project)
    if Segment.objects.filter(project=project, key=wanted.key).exists():
        raise Invalid({"key": _("There is a segment with this key already; choose another.")})
    naming.refuse_alike(Segment.objects.filter(project=project), wanted.key)
    segment = Segment(project=project, created_at=intent.at)
    fill_segment(segment, wanted, now=intent.at)
    referring.check_segment(segment.key, segment.when, project)
    advance_all(environments, Named.SEGMENT, segment.key, now=intent.at)
    store_segment(segment, None, intent=intent)
    return segment


@gated
def edit_segment(
    *, segment: Segment, document: object, expected_version: int, intent: Intent
) -> Segment:
    """Change who belongs to a segment, or what it is called; its key stays.

    The lists stay as they are, unless the document names others by the digests of lists that the
    project has: see change_keys. Raises Forbidden, for a key also where evaluators beyond its
    environment ask for the segment; Invalid when the document is; Conflict when the
    segment is no longer at ``expected_version``; Waiting where a policy wants others to agree
    first.
    """
    gate.require(intent, Permission.SEGMENT_EDIT, project=segment.project)
    environments = outbox.lock_project(segment.project)
    segment = segment_selectors.get_segment(segment.project, segment.key)
    about, lists = _read(segment, document)
    before = segment.document
    if segment.version != expected_version:
        raise changes.conflict(segment, document)
    referring.check_segment(segment.key, about["when"], segment.project)
    _fill(segment, about | lists)
    if same_document(segment.document, before):
        return segment
    if changes.is_served_otherwise(before, segment.document):
        change = partial(changes.segment_change, segment, before)
        intent = let_through(segment, change, environments, intent)
    store_segment(segment, before, intent=intent)
    return segment


def fill_segment(segment: Segment, wanted: SegmentDocument, *, now: datetime) -> None:
    """Take all columns from a valid segment; only its lists are stored.

    Raises Invalid where one gets too long.
    """
    _fill(segment, _about(dump_segment(wanted)))
    for name in LISTS:
        keys = getattr(wanted, name)
        _check_length(name, len(keys))
        setattr(segment, name, key_lists.store(segment.project, keys, now=now))


def store_segment(segment: Segment, before: Mapping[str, Any] | None, *, intent: Intent) -> None:
    """Save what was decided and tell the history; ``before`` is None for a new one.

    Checks, the gate and the environments' versions are the caller's.
    """
    event = "segment.created" if before is None else _event(before, segment.document)
    save_version(segment, before, intent)
    intent.record(event, segment, before=before, after=_told(segment, before))


def save_version(one: Segment | ExclusionGroup, before: object, intent: Intent) -> None:
    one.version += before is not None
    one.updated_at, one.updated_by = intent.at, intent.actor.label
    one.save()


def change_keys(
    *, segment: Segment, change: KeyChange, intent: Intent, expected_version: int | None = None
) -> KeyReport:
    """Add keys to one of a segment's lists, remove them from it, or replace it.

    A key that stands in the other list stays there and is reported. Without ``expected_version``
    it is done again on what somebody else made of the list meanwhile. Raises what edit_segment
    raises, and Invalid where the list gets too long.
    """
    gate.require(intent, Permission.SEGMENT_EDIT, project=segment.project)
    attempts = _ATTEMPTS if expected_version is None else 1
    while True:
        attempts -= 1
        current = segment_selectors.get_segment(segment.project, segment.key)
        wanted, report = key_lists.decide(current, change)
        stored = key_lists.store(segment.project, wanted, now=intent.at)
        try:
            edit_segment(
                segment=current,
                document=current.document | {change.list_name: stored.document},
                expected_version=current.version if expected_version is None else expected_version,
                intent=intent,
            )
        except Conflict:
            if not attempts:
                raise
        else:
            return report


@gated
def delete_segment(
    *, segment: Segment, intent: Intent, expected_version: int | None = None
) -> None:
    """Delete a segment that nothing refers to. The history keeps what it was, lists included.

    Raises Forbidden; InUse where something refers to it; Conflict when it is no longer at
    ``expected_version``; Waiting where a policy wants others to agree first.
    """
    gate.require(intent, Permission.SEGMENT_EDIT, project=segment.project)
    environments = outbox.lock_project(segment.project)
    segment = segment_selectors.get_segment(segment.project, segment.key)
    if expected_version not in (None, segment.version):
        raise changes.conflict(segment, {})
    text = _("This segment is in use by {uses}. Remove it there first.")
    delete_unused(segment, changes.SEGMENT_DELETION, text, environments, intent)


def delete_unused(
    one: Segment | ExclusionGroup,
    change: str,
    text: str,
    environments: Collection[Environment],
    intent: Intent,
) -> None:
    """Raises InUse with the ``text``; Forbidden, Waiting."""
    referring.refuse_unless_unused(one.project, kind_of(one), one.key, text)
    deletion = partial(changes.deletion, change, one)
    intent, before = let_through(one, deletion, environments, intent), one.document
    one.delete()
    intent.record(f"{one.recorded_as.kind}.deleted", one, before=before)


def _read(segment: Segment, document: object) -> tuple[dict[str, Any], dict[str, KeyList]]:
    given = dict(document) if isinstance(document, Mapping) else {}
    lists = {name: _named_list(segment, name, given.pop(name)) for name in LISTS if name in given}
    wanted = segment_from(given if isinstance(document, Mapping) else document)
    if wanted.key != segment.key:
        raise Invalid({"key": _("A segment keeps its key.")})
    included, excluded = (lists.get(name, getattr(segment, name)) for name in LISTS)
    if lists and not set(included.keys).isdisjoint(excluded.keys):
        raise Invalid({"excluded": _("A key cannot be in both lists.")})
    return _about(dump_segment(wanted)), lists


def _named_list(segment: Segment, name: str, named: object) -> KeyList:
    digest = named.get("digest") if isinstance(named, Mapping) else None
    try:
        found = list_of(segment.project, str(digest))
    except KeyList.DoesNotExist:
        raise Invalid({name: _("Change the keys of a list at its own endpoint.")}) from None
    _check_length(name, found.count)
    return found


def _check_length(name: str, count: int) -> None:
    if count > key_lists.MOST_KEYS:
        raise Invalid.of(
            name, _("A list holds at most {most} keys."), most=f"{key_lists.MOST_KEYS:,}"
        )


def _about(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**_DEFAULTS, **{f: document[f] for f in ABOUT_FIELDS if f in document}}


_DEFAULTS: dict[str, Any] = {
    "name": "",
    "description": "",
    "when": {"any": []},
    "keyed_by": "targetingKey",
}


def _fill(segment: Segment, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        setattr(segment, name, value)


def _event(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    same = all(same_document(before[name], after[name]) for name in ABOUT_FIELDS)
    return "segment.keys_changed" if same else "segment.edited"


def _told(segment: Segment, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The segment as the history keeps it; few added and removed keys it names."""
    told: dict[str, Any] = {}
    for name in LISTS:
        now, digest = getattr(segment, name), before[name]["digest"] if before else None
        if digest != now.digest and (before or now.count):
            old = list_of(segment.project, digest).keys if digest else ()
            told |= _named_changes(name, old, now.keys)
    return segment.document | ({"keys": told} if told else {})


def _named_changes(name: str, before: Iterable[str], after: Iterable[str]) -> dict[str, Any]:
    old, new = frozenset(before), frozenset(after)
    added, removed = new - old, old - new
    if len(added) + len(removed) > SMALL:
        return {}
    return {name: {"added": sorted(added), "removed": sorted(removed)}}
