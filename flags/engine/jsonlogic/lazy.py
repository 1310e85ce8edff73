"""Operations that choose which of their arguments to evaluate, or on what data."""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from flags.engine.jsonlogic.eager import bounded
from flags.engine.jsonlogic.loose import Compiled, Unanswerable, operand, text_of
from flags.engine.operators.base import is_number
from flags.engine.state import Steps

Build: TypeAlias = Callable[[list[Compiled], int], Compiled]


def _if(arguments: list[Compiled], _size: int) -> Compiled:
    pairs = tuple(zip(arguments[::2], arguments[1::2], strict=False))
    otherwise = arguments[-1] if len(arguments) % 2 else lambda _data, _steps: None

    def choose(data: object, steps: Steps) -> object:
        for condition, consequence in pairs:
            if condition(data, steps):
                return consequence(data, steps)
        return otherwise(data, steps)

    return choose


def _until(*, stops_at: bool) -> Build:
    def build(arguments: list[Compiled], _size: int) -> Compiled:
        def run(data: object, steps: Steps) -> object:
            value = None
            for argument in arguments:
                value = argument(data, steps)
                if bool(value) is stops_at:
                    return value
            return value

        return run

    return build


def _items(value: object) -> Iterable[object]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Unanswerable("no list")
    return value


def _map(arguments: list[Compiled], size: int) -> Compiled:
    subject, body = arguments

    def run(data: object, steps: Steps) -> list[object]:
        found = []
        for item in _items(subject(data, steps)):
            steps.spend(size)
            found.append(body(item, steps))
        return found

    return run


def _filter(arguments: list[Compiled], size: int) -> Compiled:
    subject, body = arguments

    def run(data: object, steps: Steps) -> list[object]:
        found = []
        for item in _items(subject(data, steps)):
            steps.spend(size)
            if body(item, steps):
                found.append(item)
        return found

    return run


def _quantified(*, stops_at: bool, answer: bool, of_none: bool) -> Build:
    """Goes through a list until an item's truth is ``stops_at``: that gives ``answer``.

    ``of_none`` is the answer of what is empty or false.
    """

    def build(arguments: list[Compiled], size: int) -> Compiled:
        subject, body = arguments

        def run(data: object, steps: Steps) -> bool:
            found = subject(data, steps)
            if not found:
                return of_none
            for item in _items(found):
                steps.spend(size)
                if bool(body(item, steps)) is stops_at:
                    return answer
            return not answer

        return run

    return build


def _keeping(start: object) -> Callable[[object], object]:
    if isinstance(start, bool):
        return bool
    if is_number(start):
        return operand
    if isinstance(start, str):
        return lambda value: bounded(text_of(value))
    raise Unanswerable("no start for a reduction")


def _reduce(arguments: list[Compiled], size: int) -> Compiled:
    subject, body, start = arguments

    def run(data: object, steps: Steps) -> object:
        total = start(data, steps)
        keep = _keeping(total)
        items = subject(data, steps)
        if items is None:
            return 0.0
        for item in _items(items):
            steps.spend(size)
            if item is not None:
                total = keep(body({"current": item, "accumulator": total}, steps))
        return total

    return run


BUILDERS: Final[dict[str, Build]] = {
    "if": _if,
    "?:": _if,
    "or": _until(stops_at=True),
    "and": _until(stops_at=False),
    "map": _map,
    "filter": _filter,
    "reduce": _reduce,
    "all": _quantified(stops_at=False, answer=False, of_none=False),
    "none": _quantified(stops_at=True, answer=False, of_none=True),
    "some": _quantified(stops_at=True, answer=True, of_none=False),
}
