"""Queries to Prometheus: templates with placeholders, and what an answer means.

A query is read once, as far as its texts (strings) are told from the rest, so that what is put into
it stays inside the text where it stands.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from portal.lib.documents import Problem, refuse, text

WINDOW: Final = "window"
NAMES: Final = ("service", "version", "baseline", "environment")
"""What stands in a text, such as a label's value; ``window`` is a time and stands outside."""
LEAST_WINDOW_S: Final = 10
"""Over less than that nothing is asked: too few samples lie in it."""
_PLACEHOLDER: Final = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_RANGE: Final = re.compile(r"\[\s*([0-9a-z]+)")
_EQUAL: Final = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*$")
_PART: Final = re.compile(r"(\d+)(ms|s|m|h|d|w|y)")
_UNITS: Final = {
    "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000
}  # fmt: skip
_SPECIAL: Final = re.compile(r"([\\.+*?()|\[\]{}^$])")


class Aggregate(StrEnum):
    """How several series become one number. By ``max`` each of them decides: one above the
    threshold is enough."""

    MAX = "max"
    MIN = "min"
    SUM = "sum"


@dataclass(frozen=True, slots=True)
class Piece:
    """Code, or the inside of a text, which ``quote`` says. ``before`` is the code before it."""

    content: str
    quote: str = ""
    before: str = ""

    @property
    def is_pattern(self) -> bool:
        return self.before.rstrip().endswith("~")


def pieces(query: str) -> Iterator[Piece]:
    """The query in its order. Raises DocumentError for a text that does not end."""
    code, place = "", 0
    while place < len(query):
        quote = query[place]
        if quote == "#":
            end = query.find("\n", place)
            place = len(query) if end < 0 else end
            continue
        if quote not in "\"'`":
            code, place = code + quote, place + 1
            continue
        end = _end_of(query, place)
        yield Piece(code)
        yield Piece(query[place + 1 : end], quote, code)
        code, place = "", end + 1
    yield Piece(code)


def _end_of(query: str, start: int) -> int:
    quote, place = query[start], start + 1
    while place < len(query) and query[place] != quote:
        place += 2 if query[place] == "\\" and quote != "`" else 1
    if place >= len(query):
        refuse(f"The text that begins at character {start + 1} does not end: close its quotes.")
    return place


def read_query(value: object) -> str:
    """A template of a query. Raises DocumentError for one that cannot be filled in safely."""
    query = text(5000, 1)(value)
    if not query.strip():
        refuse("Give a query in PromQL.")
    for piece in pieces(query):
        for found in _PLACEHOLDER.finditer(piece.content):
            _require_known(found[1], piece.quote)
        if _ESCAPED.search(piece.content):
            refuse("Put no single backslash before a placeholder.")
        if "{{" in _PLACEHOLDER.sub("", piece.content):
            refuse("There is a “{{” that no “}}” ends.")
    return query


# An odd number of backslashes: the last one would escape what stands for the placeholder.
_ESCAPED: Final = re.compile(r"(?<!\\)(?:\\\\)*\\\{\{")


def _require_known(name: str, quote: str) -> None:
    known = ", ".join(f"{{{{{one}}}}}" for one in (*NAMES, WINDOW))
    if name not in (*NAMES, WINDOW):
        refuse(f"There is no placeholder “{{{{{name[:40]}}}}}”; use one of: {known}.")
    if name == WINDOW and quote:
        refuse("Put {{window}} outside of quotes, such as in rate(errors_total[{{window}}]).")
    if name != WINDOW and quote not in ('"', "'"):
        refuse(f'Put {{{{{name}}}}} into double quotes, such as in {{version="{{{{version}}}}"}}.')


def fill(query: str, names: Mapping[str, str], window_s: int) -> str:
    """The query with what its placeholders stand for, each inside the text in which it stands;
    where that is a regular expression it matches itself alone. Without comments."""
    filled = []
    for piece in pieces(query):
        values = {WINDOW: f"{window_s}s"}
        if piece.quote:
            values = {name: _quoted(names[name], piece) for name in names}

        def value_of(found: re.Match[str], values: Mapping[str, str] = values) -> str:
            return values[found[1]]

        filled.append(piece.quote + _PLACEHOLDER.sub(value_of, piece.content) + piece.quote)
    return "".join(filled)


def _quoted(value: str, piece: Piece) -> str:
    if piece.is_pattern:
        value = _SPECIAL.sub(r"\\\1", value)
    value = value.replace("\\", "\\\\").replace(piece.quote, "\\" + piece.quote)
    return "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in value)


def uses(query: str, name: str) -> bool:
    return any(found[1] == name for found in _PLACEHOLDER.finditer(query))


def looks_back_s(query: str) -> float:
    """The longest time that is written as a range, such as 300 of ``[5m]``; 0 without any."""
    code = (piece.content for piece in pieces(query) if not piece.quote)
    ranges = [found[1] for part in code for found in _RANGE.finditer(part)]
    return max(
        (sum(int(n) * _UNITS[unit] for n, unit in _PART.findall(one)) for one in ranges),
        default=0.0,
    )


def problems_of(query: str, window_s: int) -> Iterator[Problem]:
    """Whether a query stays within its check's window."""
    if looks_back_s(query) > window_s:
        message = (
            f"It looks back further than the window of {window_s} s, into other steps: "
            "write the range as [{{window}}], or choose a longer window."
        )
        yield Problem("query", message)


def wanted_labels(query: str) -> dict[str, set[str]]:
    """What labels are asked to be equal to in a query that is filled in."""
    found: dict[str, set[str]] = {}
    for piece in pieces(query):
        if label := _EQUAL.search(piece.before):
            found.setdefault(label[1], set()).add(piece.content)
    return found


# What came back.


@dataclass(frozen=True, slots=True)
class Reading:
    """One number that something answered with. Without one there is no data, or with ``is_error``
    it could not be measured; ``detail`` says why, in a sentence. ``every_s`` is how often the
    number can become another one, None where nobody asked and 0 where that is unknown."""

    value: float | None = None
    detail: str = ""
    is_error: bool = False
    every_s: float | None = None


def failed_to_read(why: str) -> Reading:
    return Reading(detail=why, is_error=True)


def read_answer(answer: Any, aggregate: Aggregate) -> Reading:
    """What ``/api/v1/query`` answered with, parsed from JSON; NaN is no data, never a number."""
    if not isinstance(answer, Mapping) or answer.get("status") not in ("success", "error"):
        return failed_to_read("The answer is not one of Prometheus: check the address.")
    if answer["status"] == "error":
        kind, said = (str(answer.get(name) or "") for name in ("errorType", "error"))
        return failed_to_read(f"Prometheus refused the query ({kind[:40]}): {said[:200]}")
    data: Any = answer.get("data")
    try:
        kind, result = data["resultType"], data["result"]
        if kind == "scalar":
            return combine([_number(result)], aggregate)
        if kind == "vector":
            return combine([_number(one["value"]) for one in result], aggregate)
    except (TypeError, KeyError, ValueError, IndexError):
        return failed_to_read("Prometheus answered with something else than numbers.")
    return failed_to_read(
        f"The query gives a {str(kind)[:20]} and not a number: "
        "put its range into a function such as rate()."
    )


def _number(sample: Any) -> float:
    _at, value = sample
    if not isinstance(value, str):
        raise TypeError
    return float(value)


_AGGREGATES: Final[Mapping[Aggregate, Callable[[Sequence[float]], float]]] = {
    Aggregate.MAX: max,
    Aggregate.MIN: min,
    Aggregate.SUM: sum,
}


def combine(values: Sequence[float], aggregate: Aggregate) -> Reading:
    """One number out of several series. Where one of them is NaN there is none."""
    if not values:
        return Reading(detail="The query finds no series, or none that is still reported.")
    missing = sum(map(math.isnan, values))
    if missing:
        return Reading(detail=_not_numbers(missing, len(values)))
    number = float(_AGGREGATES[aggregate](values))
    if number == -math.inf or math.isnan(number):  # a sum of +Inf and -Inf is NaN
        return failed_to_read("The query gives -Inf, of which nothing can be told.")
    several = f"the {aggregate} of {len(values)} series" if len(values) > 1 else ""
    return Reading(number, several)


def _not_numbers(missing: int, count: int) -> str:
    if count == 1:
        return "The query gives NaN: nothing was counted yet, or it divides 0 by 0."
    return (
        f"{missing} of {count} series give NaN: nothing was counted there yet, or it divides 0 "
        "by 0. Leave them out in the query, or wait."
    )
