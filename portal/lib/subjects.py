"""What there is to know of each kind of thing, in one table row each: its subject.

A package registers its own from its ``AppConfig.ready``; the history, change requests and whatever
else shows things of every kind read them here and need to know no package. An event that nobody has
put into words is still readable: ``freeze_window.created`` becomes “freeze window created”.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from django.urls import reverse


class Recorded(Protocol):
    """What there is to know of an event; the audit trail's rows have it."""

    event: str
    project: str
    environment: str
    subject_kind: str
    subject: str

    @property
    def before_document(self) -> dict[str, object] | None: ...

    @property
    def after_document(self) -> dict[str, object] | None: ...


# The sentences that say what each event changed, in the order of the events. Many at once, so
# that whatever has to be looked up for them is looked up once.
Describe = Callable[[Sequence[Recorded]], list[list[str]]]
# Where the subject of an event is shown; empty where there is no such page.
Address = Callable[[Recorded], str]
# What its subject was after an event: the kind of change that makes it so again, and the document;
# None where the event does not say all of it.
Restore = Callable[[Recorded], tuple[str, Mapping[str, Any]] | None]


def page_at(name: str, *fields: str) -> Address:
    def address(event: Recorded) -> str:
        places = [event.project, *(getattr(event, field) for field in fields)]
        return reverse(name, args=places) if all(places) else ""

    return address


@dataclass(frozen=True, slots=True)
class Menu:
    """Where the navigation of a project leads to things of a kind, in ascending ``order``.

    ``page`` is the name of an address of the project, and ``under`` a part of the addresses that
    belong to it as well. ``permission`` is what it takes to be led there; ``count`` the name of the
    address that says how many wait there.
    """

    order: int
    label: object
    icon: str
    page: str
    under: str = ""
    permission: str = ""
    count: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One kind of thing: what it is called, how its events read, and how its changes are made.

    ``events`` continue the name of who did it: “alice … turned on”. ``changes`` has a
    portal.approvals.handlers.Handler for each kind of change that others may have to agree to.
    """

    kind: str
    label: object  # a text, translated when it is shown
    events: Mapping[str, object]
    describe: Describe = lambda events: [[] for _event in events]
    address: Address = lambda _event: ""
    restore: Restore = lambda _event: None
    menu: Menu | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


_subjects: dict[str, Subject] = {}
_events: dict[str, object] = {}
_changes: dict[str, Any] = {}


def register(*subjects: Subject) -> None:
    for one in subjects:
        _subjects[one.kind] = one
        _events.update(one.events)
        _changes.update(one.changes)


@cache
def menu() -> list[Menu]:
    """Where the navigation of a project leads, in order; registered while apps become ready."""
    return sorted([one.menu for one in _subjects.values() if one.menu], key=lambda one: one.order)


def handler(change: str) -> Any:
    return _changes.get(change)


def headline(event: str) -> str:
    """An event in words, to be read after the name of who did it."""
    return str(_events.get(event) or plain(event))


def plain(event: str) -> str:
    """An event's name as far as it reads by itself: “freeze window created”."""
    return event.replace(".", " ").replace("_", " ")


def label(kind: str) -> str:
    """What a kind of subject is called: “API key”."""
    known = _subjects.get(kind)
    return str(known.label) if known else kind.replace("_", " ")


def address(event: Recorded) -> str:
    known = _subjects.get(event.subject_kind)
    return known.address(event) if known else ""


def restored(event: Recorded) -> tuple[str, Mapping[str, Any]] | None:
    """What the subject of an event was after it, and by which kind of change it is made so again;
    None where the event does not say all of it."""
    known = _subjects.get(event.subject_kind)
    return known.restore(event) if known else None


def changes(events: Sequence[Recorded]) -> list[list[str]]:
    found: list[list[str]] = [[] for _event in events]
    for kind in {event.subject_kind for event in events} & _subjects.keys():
        places = [place for place, event in enumerate(events) if event.subject_kind == kind]
        described = _subjects[kind].describe([events[place] for place in places])
        for place, sentences in zip(places, described, strict=True):
            found[place] = sentences
    return found
