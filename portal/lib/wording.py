"""What happened, in words: packages say here how their events read, and the history shows it.

A package registers its own from its ``AppConfig.ready``, so that the history needs to know none of
them. Whatever nobody has put into words is still readable: ``freeze_window.created`` becomes
“freeze window created”.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


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


@dataclass(frozen=True, slots=True)
class Subject:
    """One kind of thing that events are about."""

    label: object  # a text, translated when it is shown
    describe: Describe | None = None
    address: Address | None = None


_events: dict[str, object] = {}
_subjects: dict[str, Subject] = {}


def register(
    *, events: Mapping[str, object] | None = None, subjects: Mapping[str, Subject] | None = None
) -> None:
    """Add words. ``events`` continue the name of who did it: “alice … turned it on”."""
    _events.update(events or {})
    _subjects.update(subjects or {})


def headline(event: str) -> str:
    """An event in words, to be read after the name of who did it."""
    return str(_events.get(event) or plain(event))


def plain(event: str) -> str:
    """An event's name as far as it reads by itself: “freeze window created”."""
    return event.replace(".", " ").replace("_", " ")


def subject_label(kind: str) -> str:
    """What a kind of subject is called: “API key”."""
    known = _subjects.get(kind)
    return str(known.label) if known else kind.replace("_", " ")


def address(event: Recorded) -> str:
    """Where the subject is shown; empty where there is no such page."""
    known = _subjects.get(event.subject_kind)
    return known.address(event) if known and known.address else ""


def changes(events: Sequence[Recorded]) -> list[list[str]]:
    """The sentences that say what each event changed, in the order of the events."""
    found: list[list[str]] = [[] for _event in events]
    for kind in {event.subject_kind for event in events}:
        known = _subjects.get(kind)
        if known is None or known.describe is None:
            continue
        places = [place for place, event in enumerate(events) if event.subject_kind == kind]
        described = known.describe([events[place] for place in places])
        for place, sentences in zip(places, described, strict=True):
            found[place] = sentences
    return found
