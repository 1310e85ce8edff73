"""Readers: small functions that turn a JSON value into a checked one, and how to combine them.

A reader takes any object and returns what it read, or raises DocumentError with paths relative to
that object; the reader of the object puts its own step in front. So every problem of a document
is found in one reading, and no reader needs to know where it stands.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final, NoReturn, TypeAlias, TypeVar

# What is wrong with a document, where, and what to do about it.

MAX_PROBLEMS: Final = 100
"""Problems reported at once: enough to mend a document, few enough to answer with."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend.

    ``path`` leads there from the document's root, as in ``rules[0].when.all[1].values``; it is
    empty for the document itself. ``message`` is one sentence that says what to do.
    """

    path: str
    message: str

    def under(self, step: str) -> "Problem":
        """The same problem, seen from the parent that holds it at ``step`` (a name or ``[2]``)."""
        dot = "." if self.path and not self.path.startswith("[") else ""
        return Problem(f"{step}{dot}{self.path}", self.message)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class DocumentError(ValueError):
    """A document was refused; ``problems`` lists why (at least one, at most MAX_PROBLEMS)."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(islice(problems, MAX_PROBLEMS))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return " ".join(map(str, self.problems))

    def under(self, step: str) -> list[Problem]:
        return [problem.under(step) for problem in self.problems]


T = TypeVar("T")
U = TypeVar("U")
Reader: TypeAlias = Callable[[object], T]
Check: TypeAlias = Callable[[T], Iterable[Problem]]
"""Looks at what was read for what no part of it can know alone; yields what is wrong."""


def refuse(message: str) -> NoReturn:
    raise DocumentError([Problem("", message)])


def quote(name: object, most: int = 60) -> str:
    """A name from a document as it may stand in a path or message: short and printable."""
    if not isinstance(name, str):
        return f"<{type(name).__name__}>"
    printable = ascii(name[:most])[1:-1]
    return f"{printable}…" if len(name) > most else printable


def join_quoted(names: Collection[object], most: int = 20) -> str:
    """``a, b, c``, ending in an ellipsis after ``most`` names."""
    ellipsis = ["…"] if len(names) > most else []
    return ", ".join([*map(quote, islice(names, most)), *ellipsis])


def read_object(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        refuse("Give an object.")
    return value


def record(
    build: Callable[..., T],
    required: Mapping[str, Reader[object]],
    optional: Mapping[str, Reader[object]] | None = None,
) -> Reader[T]:
    """An object with exactly these fields; ``build`` gets those present, by name.

    An optional field that is absent is not passed on: its default is the one of ``build``.
    """
    fields = {**required, **(optional or {})}

    def read(value: object) -> T:
        document = read_object(value)
        problems = list(islice(_find_wrong_fields(document, required, fields), MAX_PROBLEMS))
        present = {}
        for name in [name for name in fields if name in document]:
            try:
                present[name] = fields[name](document[name])
            except DocumentError as error:
                problems += error.under(name)
        if problems:
            raise DocumentError(problems)
        return build(**present)

    return read


def _find_wrong_fields(
    document: Mapping[str, object], required: Iterable[str], known: Mapping[str, object]
) -> Iterable[Problem]:
    for name in required:
        if name not in document:
            yield Problem(name, "Add this field; it is required.")
    for name in document:
        if name not in known:
            message = f"Remove the unknown field {quote(name)}; known are {join_quoted(known)}."
            yield Problem(quote(name), message)


def list_of(item: Reader[T], *, most: int, least: int = 0) -> Reader[tuple[T, ...]]:
    """A list of ``least`` to ``most`` items."""

    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            refuse("Give a list.")
        if least == 1 < most and not value:
            refuse("Give at least one.")
        if not least <= len(value) <= most:
            wanted = f"exactly {least}" if least == most else f"{least} to {most}"
            refuse(f"Give a list of {wanted}, not {len(value)}.")
        return _read_items(item, value)

    return read


def _read_items(item: Reader[T], values: Iterable[object]) -> tuple[T, ...]:
    items: list[T] = []
    problems: list[Problem] = []
    for index, value in enumerate(values):
        try:
            items.append(item(value))
        except DocumentError as error:
            problems += error.under(f"[{index}]")
            if len(problems) >= MAX_PROBLEMS:
                break
    if problems:
        raise DocumentError(problems)
    return tuple(items)


def all_different(read: Reader[tuple[str, ...]]) -> Reader[list[str]]:
    def read_different(value: object) -> list[str]:
        found = list(read(value))
        if len(set(found)) < len(found):
            refuse("Name each of them once.")
        return found

    return read_different


def tagged(readers: Mapping[str, Reader[T]]) -> Reader[T]:
    def read(value: object) -> T:
        document = read_object(value)
        tags = [name for name in readers if name in document]
        if len(tags) != 1:
            found = join_quoted(document, most=5) or "none"
            refuse(f"Give exactly one of the fields {join_quoted(readers)}; found: {found}.")
        return readers[tags[0]](value)

    return read


def one_of(names: Iterable[str], what: str) -> Reader[str]:
    """One of these texts; ``what`` names such a thing in the problem."""
    known = dict.fromkeys(names)

    def read(value: object) -> str:
        if not isinstance(value, str):
            refuse(f"Name one {what} as a text, of: {join_quoted(known)}.")
        if value not in known:
            refuse(f"There is no {what} '{quote(value)}'; use one of: {join_quoted(known)}.")
        return value

    return read


def mapped(reader: Reader[T], convert: Callable[[T], U]) -> Reader[U]:
    return lambda value: convert(reader(value))


def checked(reader: Reader[T], *checks: Check[T]) -> Reader[T]:
    """What ``reader`` reads, if no check finds anything wrong with it."""

    def read(value: object) -> T:
        result = reader(value)
        found = (problem for check in checks for problem in check(result))
        problems = list(islice(found, MAX_PROBLEMS))
        if problems:
            raise DocumentError(problems)
        return result

    return read


# Readers of single values: texts, names and numbers.


# Neither can be stored by PostgreSQL nor, a lone surrogate, be encoded as UTF-8.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def read_boolean(value: object) -> bool:
    """``true`` or ``false``, and nothing that merely looks like it."""
    if not isinstance(value, bool):
        refuse("Give true or false.")
    return value


def text(most: int, least: int = 0) -> Reader[str]:
    """A text of ``least`` to ``most`` characters, line breaks allowed."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            refuse("Give a text.")
        if not least <= len(value) <= most:
            refuse(f"Give a text of {least} to {most} characters.")
        if UNSTORABLE.search(value):
            refuse("Remove the NUL characters and lone surrogates from this text.")
        return value

    return read


def name(most: int, least: int = 0) -> Reader[str]:
    """A text for one line: no control characters, no white space around it.

    Control characters are those of every Unicode category C*: also formatting ones that nobody
    sees, private use, and code points not assigned yet.
    """
    read_text = text(most, least)

    def read(value: object) -> str:
        result = read_text(value)
        if any(unicodedata.category(character).startswith("C") for character in result):
            refuse("Remove the control and invisible characters from this text.")
        if result != result.strip():
            refuse("Remove the white space around this text.")
        return result

    return read


def matching(form: re.Pattern[str], most: int, message: str) -> Reader[str]:
    """A text of 1 to ``most`` characters that has this form; ``message`` says which."""
    read_text = text(most, 1)

    def read(value: object) -> str:
        found = read_text(value)
        if not form.fullmatch(found):
            refuse(message)
        return found

    return read


def integer(least: int, most: int) -> Reader[int]:
    """A whole number from ``least`` to ``most``, written as one: 1.0 is refused."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            refuse("Give a whole number.")
        if not least <= value <= most:
            refuse(f"Give a whole number from {least} to {most}.")
        return value

    return read


def read_number(value: object) -> float:
    """A finite number, as a float: 1 becomes 1.0, so that it goes out as one everywhere."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse("Give a number.")
    try:
        number = float(value)
    except OverflowError:  # an int of more than 308 digits
        number = math.inf
    if not math.isfinite(number):
        refuse("Give a finite number, of at most 1.7e308.")
    return number


def read_percentage(value: object) -> int:
    """A percentage in thousandths, exactly: the decimal number as it was written, times 1000."""
    percent = read_number(value)
    thousandths = Decimal(repr(percent)) * 1000
    if not 0 <= percent <= 100 or thousandths % 1:
        refuse("Give a percentage from 0 to 100 with at most 3 decimals.")
    return int(thousandths)
