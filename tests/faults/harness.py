"""What a fault is, and how one is run: installation, load, fault, figures, history check."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.faults import rows
from tests.faults.installation import Installation, installed
from tests.faults.load import EVERY_S
from tests.faults.postgres_server import postgres_server

TIME_UNITS = ("s", "ms", "x")


@dataclass(frozen=True, slots=True)
class Figure:
    """Something measured or counted. It misses its bar when it is greater than ``at_most``.

    Units of time ("s", "ms", and "x" for a ratio of times) depend on the machine: ``make faults``
    judges them, the tests do not.
    """

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None

    def misses(self, *, timed: bool) -> bool:
        judged = timed or self.unit not in TIME_UNITS
        return judged and self.at_most is not None and not self.value <= self.at_most

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        bar = "" if self.at_most is None else f" (≤ {self.at_most:.4g})"
        return f"{self.name} {self.value:.4g}{unit}{bar}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of the report."""

    title: str
    act: Callable[[Installation], list[Figure]]
    in_ci: bool = False
    """Whether the tests run it too: a few that are quick."""
    on_postgres: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    warm: bool = True
    """Whether evaluators go on answering throughout; False where the fault itself ends one."""

    @property
    def name(self) -> str:
        return self.act.__name__


FAULTS: dict[str, Fault] = {}


def fault(
    title: str,
    *,
    in_ci: bool = False,
    on_postgres: bool = False,
    warm: bool = True,
    **settings: str,
) -> Callable[[Callable[[Installation], list[Figure]]], Callable[[Installation], list[Figure]]]:
    """Register a function as a fault; settings are those of the installation."""

    def register(act: Callable[[Installation], list[Figure]]) -> Callable[..., list[Figure]]:
        FAULTS[act.__name__] = Fault(title, act, in_ci, on_postgres, settings, warm)
        return act

    return register


def find_faults() -> dict[str, Fault]:
    """All faults, by the names of their functions."""
    for module in pkgutil.iter_modules(rows.__path__):
        importlib.import_module(f"{rows.__name__}.{module.name}")
    return FAULTS


class Stage:
    """Where faults are run, one after another: on one installation for as long as it can be used.

    A new one is started for other settings, and after a fault that ended in an exception.
    """

    def __init__(self, load_every_s: float = EVERY_S) -> None:
        self._load_every_s = load_every_s
        self._parts = ExitStack()
        self._place: Installation | None = None
        self._wanted: tuple[bool, Mapping[str, str]] = (False, {})

    def run(self, one: Fault) -> list[Figure]:
        """Run one fault; returns its figures and the history's."""
        try:
            place = self._installation(one)
            place.start_load(self._load_every_s)
            figures = one.act(place)
            return [*figures, *_history(place, one)]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._place = None
        self._parts.close()

    def _installation(self, one: Fault) -> Installation:
        wanted = (one.on_postgres, one.settings)
        if self._place is None or wanted != self._wanted:
            self.close()
            server = self._parts.enter_context(postgres_server()) if one.on_postgres else None
            self._place = self._parts.enter_context(installed(one.settings, server))
            self._wanted = wanted
        return self._place


def _history(place: Installation, one: Fault) -> list[Figure]:
    """What holds in every fault; each of these counts has to be 0."""
    load = place.load
    load.stop()
    errors = [Figure("evaluation errors", load.errors, "", 0 if one.warm else None)]
    return [
        Figure("evaluations", load.count),
        *errors,
        Figure("versions that went back", load.steps_back, "", 0),
        *(Figure(name, count, "", 0) for name, count in place.check_writes().items()),
    ]
