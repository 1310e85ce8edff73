"""What the rows say last of things, held against what the tables hold.

A change of a table past its service leaves no row, and the chain holds all the same. So every
package that keeps documents says here how its rows tell of them, and how to read them as they are.

A purge takes rows away. What they said last is written down first, in rows of the event
:data:`KEPT`, so that nothing is ever without a row that speaks for it.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from portal.audit import sealing, selectors
from portal.audit.models import AuditEvent
from portal.lib.journal import Actor, Entry

KEPT = "audit.state_kept"
Document = Mapping[str, Any]


class StateKey(NamedTuple):
    """One document that rows tell of: ``kind`` says which of a subject's."""

    kind: str
    project: str
    environment: str
    subject_kind: str
    subject: str

    def __str__(self) -> str:
        place = "/".join(part for part in (self.project, self.environment) if part)
        return f"{self.kind} {self.subject}" + (f" in {place}" if place else "")


# From what was said of a document before to what is said of it now.
Step = Callable[[dict[str, Any]], Document]
State = tuple[StateKey, Document | Step | None]


@dataclass(frozen=True)
class StateSource:
    """Documents of one sort, by the ``name`` under which a purge keeps them.

    ``tell`` gives what a row of the ``events`` says of documents: None for one that is gone, a
    step where the row says a part of it only. ``read`` gives all of them as the tables have them
    now. ``is_partial`` says that rows of older versions say less: then only the fields are
    compared of which rows say something.
    """

    name: str
    events: frozenset[str]
    tell: Callable[[AuditEvent], Iterable[State]]
    read: Callable[[], Iterable[tuple[StateKey, Document]]]
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Drift:
    """A document that is not what its last row says. ``row`` is 0 where no row speaks of it."""

    key: StateKey
    row: int
    problem: str

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}"


# For a row of an older version, which speaks of a document and does not say what it is.
UNSAID: Document = {"unsaid": True}
_sources: list[StateSource] = []


def in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def register(source: StateSource) -> None:
    _sources.append(source)


def find_drifts() -> list[Drift]:
    """Everything that differs from its last row. Holds up no writer.

    What is written while it looks may seem to differ: so it looks again, and only what differs in
    the same way twice counts.
    """
    first = set(_look())
    return sorted(first & set(_look()), key=lambda one: one.key) if first else []


class _Told(NamedTuple):
    first: int
    row: int
    said: Any


def _look() -> Iterator[Drift]:
    told_of = selectors.told_of()
    for source in _sources:
        untold_is_fine = told_of is not None and source.name not in told_of
        told = _told_by(source, keep=_as_it_is if source.is_partial else digest_of)
        for key, document in source.read():
            last = told.pop(key, None)
            if last is None:
                if not untold_is_fine:
                    yield Drift(key, 0, _("no row says where it comes from"))
            elif _differs(last.said, document):
                text = _("it is not what row {row} says: it was changed past the product")
                yield Drift(key, last.row, text.format(row=last.row))
        for key, last in told.items():
            text = _("row {row} says that it is there, and it is gone")
            yield Drift(key, last.row, text.format(row=last.row))


def _differs(said: str | Document, held: Document) -> bool:
    if isinstance(said, str):
        return said not in (digest_of(held), _UNSAID)
    both = said.keys() & held.keys()
    return digest_of({name: said[name] for name in both}) != digest_of(
        {name: held[name] for name in both}
    )


def _as_it_is(document: Document) -> Document:
    return document


def _told_by(source: StateSource, *, keep: Callable[[Document], Any]) -> dict[StateKey, _Told]:
    """What is there by the rows, and of what they say what ``keep`` makes of it.

    A step from something that no row speaks of leads nowhere: what it began with was purged.
    """
    told: dict[StateKey, _Told] = {}
    for event in _rows_of(source).iterator(chunk_size=500):
        for key, said in _states_in(source, event):
            last, first = told.pop(key, None), event.sequence
            if callable(said):
                first = last.first if last else first
                said = said(dict(last.said)) if last else None
            if said is not None:
                told[key] = _Told(first, event.sequence, keep(said))
    return told


def _rows_of(source: StateSource) -> Any:
    return AuditEvent.objects.filter(event__in=[*source.events, KEPT]).order_by("sequence")


def _states_in(source: StateSource, event: AuditEvent) -> Iterator[State]:
    if event.event != KEPT:
        yield from source.tell(event)
        return
    after = event.after_document or {}
    if after["source"] == source.name:
        key = StateKey(
            str(after["kind"]), event.project, event.environment, event.subject_kind, event.subject
        )
        yield key, after["document"]  # type: ignore[misc] # a document, as entries_of_last wrote it


def entries_to_keep(*, up_to: int, actor: Actor) -> Iterator[Entry]:
    """What is said of documents of which one of the rows up to one says something still."""
    for source in _sources:
        for key, told in _told_by(source, keep=_as_it_is).items():
            if told.first <= up_to:
                yield Entry(
                    event=KEPT,
                    actor=actor,
                    subject_kind=key.subject_kind,
                    subject=key.subject,
                    project=key.project,
                    environment=key.environment,
                    after={"kind": key.kind, "source": source.name, "document": told.said},
                )


def names() -> list[str]:
    return [source.name for source in _sources]


def digest_of(document: Document) -> str:
    """SHA-256 of a document's canonical JSON, with numbers as PostgreSQL's jsonb spells them."""
    return hashlib.sha256(sealing.canonical({"": _spelled(document)})).hexdigest()


def _spelled(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _spelled(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(one) for one in value]
    if isinstance(value, float):
        is_large = value.is_integer() and abs(value) >= _LARGE
        return int(Decimal(repr(value))) if is_large else value + 0.0  # there is no -0
    return value


_UNSAID = digest_of(UNSAID)
# From here on jsonb writes a whole number without its exponent, and it is read as an integer.
_LARGE = 1e16
