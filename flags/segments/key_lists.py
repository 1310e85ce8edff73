"""Key lists: storing them for good, and what a change of one comes to before anybody decides."""

import codecs
import csv
import io
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import IO

from django.utils.translation import gettext as _

from flags.engine import limits
from flags.models import KeyList, Segment
from flags.models.segment import pack
from portal.access.models import Project
from portal.lib.documents import MAX_PROBLEMS
from portal.lib.errors import Invalid, refuse
from portal.lib.web.spreadsheets import unguard

MOST_KEYS = 250_000
"""In one list: what evaluators load and compile within a second or two of the change."""


class Mode(StrEnum):
    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class KeyChange:
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
    current = frozenset(getattr(segment, change.list_name).keys)
    keys = frozenset(change.keys)
    if change.mode is Mode.REMOVE:
        wanted, conflicts = current - keys, frozenset[str]()
    else:
        conflicts = keys & frozenset(getattr(segment, change.other_list).keys)
        wanted = keys - conflicts | (current if change.mode is Mode.ADD else frozenset())
    if len(wanted) > MOST_KEYS:
        raise Invalid.of(
            "keys",
            _("A list holds at most {most} keys; this would make it {count}."),
            most=f"{MOST_KEYS:,}",
            count=f"{len(wanted):,}",
        )
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
    problems: dict[str, str] = {}
    found: list[str] = []
    for index, key in enumerate(keys):
        problem = problem_of(key)
        if problem and len(problems) < MAX_PROBLEMS:
            problems[f"keys[{index}]"] = problem
        elif not problem:
            found.append(str(key))
    refuse(problems)
    return found


def problem_of(key: object) -> str:
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


# Keys from a CSV file or from pasted lines, read within bounds whatever comes. The first column
# counts. A byte order mark, a header line, quotes, CRLF and empty lines are what files have; UTF-8
# and, with its mark, UTF-16 are read.


MOST_BYTES = 20 * 1024 * 1024
MOST_NAMED = 100
"""Lines that the report names one by one; of more it has the number."""
_HEADERS = frozenset(
    {"key", "keys", "id", "user", "user id", "user_id", "userid", "targetingkey", "targeting key"}
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = ",;\t"


@dataclass(slots=True)
class KeyFile:
    """What a file holds: its keys, each once, and what could not be used of it.

    ``invalid`` are line numbers with what is wrong there, the first 100 of ``invalid_lines``.
    """

    keys: set[str] = field(default_factory=set)
    doubles: int = 0
    header: str = ""
    invalid: list[tuple[int, str]] = field(default_factory=list)
    invalid_lines: int = 0

    def take(self, line: int, key: str) -> None:
        problem = problem_of(key)
        if problem:
            self.invalid_lines += 1
            if len(self.invalid) < MOST_NAMED:
                self.invalid.append((line, problem))
        elif key in self.keys:
            self.doubles += 1
        else:
            self.keys.add(key)
        if len(self.keys) > MOST_KEYS:
            raise Invalid.of(
                "file",
                _("The file has more than {most} keys, which is what a list holds at most."),
                most=f"{MOST_KEYS:,}",
            )


def read_csv(file: IO[bytes], *, size: int) -> KeyFile:
    """The keys of a CSV file. Raises Invalid where it is too large, or no CSV in UTF-8 or UTF-16.

    It is read line by line, so that what is too long is refused before all of it is in memory.
    """
    if size > MOST_BYTES:
        raise Invalid.of(
            "file",
            _("The file is larger than {most} MiB; split it, or leave out the other columns."),
            most=MOST_BYTES // 1024 // 1024,
        )
    start = file.read(4)
    file.seek(0)
    encoding = next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")
    lines = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        return _read_rows(lines)
    finally:
        lines.detach()


def read_text(text: str) -> KeyFile:
    found = KeyFile()
    for number, line in enumerate(io.StringIO(text), 1):
        if line.strip():
            found.take(number, line.strip())
    return found


def _read_rows(lines: IO[str]) -> KeyFile:
    found, number = KeyFile(), 0
    try:
        for number, cell in _cells(lines):
            if number == 1 and cell.lower() in _HEADERS:
                found.header = cell
            elif cell:
                found.take(number, unguard(cell))
    except UnicodeDecodeError:
        raise Invalid.of(
            "file",
            _("The file is not in UTF-8, somewhere after line {line}. Save it as CSV in UTF-8."),
            line=number,
        ) from None
    except csv.Error:
        raise Invalid.of(
            "file",
            _("The file is not valid CSV: check the quotes after line {line}."),
            line=number,
        ) from None
    return found


def _cells(lines: IO[str]) -> Iterator[tuple[int, str]]:
    first = lines.readline()
    marks = [one for one in _DELIMITERS if one in first]
    reader = csv.reader(_chain(first, lines), delimiter=marks[0] if marks else ",", strict=True)
    for row in reader:
        yield reader.line_num, row[0].strip() if row else ""


def _chain(first: str, rest: Iterable[str]) -> Iterator[str]:
    yield first
    for line in rest:  # noqa: UP028 - yield from would close the file with the generator
        yield line
