"""Which documents of flags the audit trail tells, to be held against the tables."""

import hashlib
import zlib
from collections.abc import Iterator
from typing import Any

from flags.explain.history_reader import (
    ARCHIVED,
    ARCHIVINGS,
    DEFINITION,
    GROUP,
    SEGMENT,
    STARTED,
    SWITCHES,
    Aspect,
    Document,
    Row,
    Unrecorded,
)
from flags.models import ExclusionGroup, Flag, FlagConfiguration, KeyList, Segment
from portal.access.models import Environment
from portal.audit import states
from portal.audit.models import AuditEvent
from portal.audit.states import State, StateKey, StateSource

CONFIGURATION = "configuration"
# Fields that definitions did not have from the start, as rows without them mean them.
_LATER_FIELDS: Document = {"metadata": {}}


def register() -> None:
    for name, events, tell, read in (
        ("flags", (*DEFINITION.after, *ARCHIVED.after, STARTED), _tell, _read_flags),
        ("segments", SEGMENT.after, _tell_segment, _read_segments),
        ("exclusion groups", GROUP.after, _tell_group, _read_groups),
    ):
        # Of rows that were kept through a purge, the audit trail itself knows how they tell.
        states.register(StateSource(name, frozenset(events) - {states.KEPT}, tell, read))


def _tell(event: AuditEvent) -> Iterator[State]:
    after = event.after_document or {}
    if event.event == STARTED:
        yield from _configurations(event, _mapping(after, "flags").items())
    elif event.event in SWITCHES:
        yield _key(CONFIGURATION, event, environment=event.environment), after
    elif event.event in ARCHIVINGS:
        yield _key("archiving", event), after
    else:
        definition = _said(DEFINITION, event)
        yield _key("definition", event), definition and _LATER_FIELDS | definition
        if event.event == "flag.created":
            yield _key("archiving", event), {"archived": False}
            for place, document in (_mapping(after, "environments") or _unsaid(event)).items():
                yield _key(CONFIGURATION, event, environment=place), document


def _unsaid(event: AuditEvent) -> Document:
    """What a row says of an older version, which did not write first configurations down."""
    places = Environment.objects.filter(project__key=event.project)
    return dict.fromkeys(places.values_list("key", flat=True), states.UNSAID)


def _configurations(event: AuditEvent, documents: Any) -> Iterator[State]:
    for flag, document in documents:
        yield _key(CONFIGURATION, event, environment=event.environment, flag=flag), document


def _tell_segment(event: AuditEvent) -> Iterator[State]:
    yield StateKey("segment", event.project, "", "segment", event.subject), _said(SEGMENT, event)


def _tell_group(event: AuditEvent) -> Iterator[State]:
    kind = GROUP.kind
    yield StateKey("exclusion group", event.project, "", kind, event.subject), _said(GROUP, event)


def _said(aspect: Aspect, row: Row) -> Document | None:
    said = aspect.after[row.event](row)
    assert not isinstance(said, Unrecorded), row.event  # whole documents alone are asked for here
    return said


def _key(kind: str, event: AuditEvent, *, environment: str = "", flag: str = "") -> StateKey:
    return StateKey(kind, event.project, environment, "flag", flag or event.subject)


def _mapping(document: Document, name: str) -> Document:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _read_flags() -> Iterator[tuple[StateKey, Document]]:
    for flag in Flag.objects.select_related("project").iterator(chunk_size=500):
        project = flag.project.key
        yield StateKey("definition", project, "", "flag", flag.key), flag.document
        archived = {"archived": flag.is_archived}
        yield StateKey("archiving", project, "", "flag", flag.key), archived
    rows = FlagConfiguration.objects.select_related("flag__project", "environment")
    for one in rows.iterator(chunk_size=500):
        project, place = one.flag.project.key, one.environment.key
        yield StateKey(CONFIGURATION, project, place, "flag", one.flag.key), one.document


def _read_segments() -> Iterator[tuple[StateKey, Document]]:
    for one in Segment.objects.select_related("project", "included", "excluded"):
        lists = {name: _as_held(getattr(one, name)) for name in ("included", "excluded")}
        yield StateKey("segment", one.project.key, "", "segment", one.key), one.document | lists


def _as_held(keys: KeyList) -> Document:
    """A list by the digest of what it holds, which is to be the one that it is kept under."""
    try:
        held = hashlib.sha256(zlib.decompress(bytes(keys.content))).hexdigest()
    except zlib.error:
        held = ""
    return keys.document | {"digest": held}


def _read_groups() -> Iterator[tuple[StateKey, Document]]:
    for one in ExclusionGroup.objects.select_related("project"):
        yield StateKey("exclusion group", one.project.key, "", GROUP.kind, one.key), one.document
