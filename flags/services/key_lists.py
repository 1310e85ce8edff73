"""Key lists: storing them for good, and what a change of one comes to before anybody decides."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from django.utils.translation import gettext as _

from flags.engine import limits
from flags.models import KeyList, Segment
from flags.models.key_list import pack
from portal.access.models import Project
from portal.lib.documents.problems import MAX_PROBLEMS
from portal.lib.errors import Invalid

MOST_KEYS = 250_000
"""In one list: what evaluators load and compile within a second or two of the change."""


class Mode(StrEnum):
    """What to do with keys."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """Keys to add to one of a segment's lists, to remove from it, or to put in place of it."""

    list_name: str
    mode: Mode
    keys: Collection[str]

    @property
    def other_list(self) -> str:
        return "excluded" if self.list_name == "included" else "included"


@dataclass(slots=True)
class KeyReport:
    """What a change of keys came to. ``conflicts`` stand in the other list and stayed there."""

    added: int = 0
    removed: int = 0
    already_there: int = 0
    not_there: int = 0
    conflicts: list[str] = field(default_factory=list)
    total: int = 0

    @property
    def changes(self) -> bool:
        return bool(self.added or self.removed)


def decide(segment: Segment, change: KeyChange) -> tuple[frozenset[str], KeyReport]:
    """The list as it is to be, and what that comes to. Raises Invalid where it gets too long."""
    current = frozenset(getattr(segment, change.list_name).keys)
    keys = frozenset(change.keys)
    if change.mode is Mode.REMOVE:
        wanted, conflicts = current - keys, frozenset[str]()
    else:
        conflicts = keys & frozenset(getattr(segment, change.other_list).keys)
        wanted = keys - conflicts | (current if change.mode is Mode.ADD else frozenset())
    if len(wanted) > MOST_KEYS:
        text = _("A list holds at most {most} keys; this would make it {count}.")
        raise Invalid({"keys": text.format(most=f"{MOST_KEYS:,}", count=f"{len(wanted):,}")})
    removing = change.mode is Mode.REMOVE
    return wanted, KeyReport(
        added=len(wanted - current),
        removed=len(current - wanted),
        already_there=0 if removing else len(keys & current),
        not_there=len(keys - current) if removing else 0,
        conflicts=sorted(conflicts),
        total=len(wanted),
    )


def check_keys(keys: Iterable[object]) -> list[str]:
    """Keys from a JSON list. Raises Invalid with the place of each that is none."""
    problems: dict[str, str] = {}
    found: list[str] = []
    for index, key in enumerate(keys):
        problem = problem_of(key)
        if problem and len(problems) < MAX_PROBLEMS:
            problems[f"keys[{index}]"] = problem
        elif not problem:
            found.append(str(key))
    if problems:
        raise Invalid(problems)
    return found


def problem_of(key: object) -> str:
    """What is wrong with a key, in one sentence; empty where nothing is."""
    if not isinstance(key, str) or not key:
        return _("Give a text that is not empty.")
    if len(key) > limits.MAX_UNIT_CHARS:
        return _("Give a key of at most {most} characters.").format(most=limits.MAX_UNIT_CHARS)
    if not key.isprintable() and any(one == "\0" or "\ud800" <= one <= "\udfff" for one in key):
        return _("Remove the NUL characters and lone surrogates from this key.")
    return ""


def store(project: Project, keys: Iterable[str], *, now: datetime) -> KeyList:
    """The list of these keys, stored if it is not there yet.

    It serves nobody by itself, so it outlives a change that has to wait for approval.
    """
    kept = frozenset(keys)
    digest, content = pack(kept)
    row = KeyList(project=project, digest=digest, count=len(kept), content=content, created_at=now)
    KeyList.objects.bulk_create([row], ignore_conflicts=True)
    return KeyList.objects.defer("content").get(project=project, digest=digest)
