"""Steps: what one moves, how long it is watched, and how they are read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any, Final

from portal.lib.documents import (
    DocumentError,
    Reader,
    integer,
    list_of,
    name,
    one_of,
    read_boolean,
    read_object,
    read_percentage,
    record,
    refuse,
)

WHOLE: Final = 100_000
"""All traffic, in thousandths of a percent."""
MOST_INSTANCES: Final = 200
MOST_REQUESTS: Final = 10_000_000
DAY_S: Final = 86_400


class Work(StrEnum):
    """What a step does: move traffic, put the artefact where nobody gets it yet, let tagged
    (synthetic) requests alone have it, replace it on some instances, or stop what ran before."""

    ROUTE = "route"
    DEPLOY = "deploy"
    SYNTHETIC = "synthetic"
    BATCH = "batch"
    RETIRE = "retire"


class Earlier(StrEnum):
    """What becomes of the batches before one that fails."""

    RETURN = "return"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the share that is to get the new version (thousandths of a percent), how long it
    is watched there, and whether people have to let it go on.

    The step of the *cohorts* has the share 0, as has one that deploys. ``instances`` are those that
    a batch replaces; its share is theirs and that of the batches before. ``minimum_requests`` is
    what checks need of tagged requests, where that is less than they need of others; 0 for no less.
    """

    share: int
    soak_s: int = 0
    gate: bool = False
    work: Work = Work.ROUTE
    instances: tuple[str, ...] = ()
    minimum_requests: int = 0

    @property
    def has_traffic(self) -> bool:
        """Whether users get the new version by it."""
        return self.work in (Work.ROUTE, Work.BATCH)

    @property
    def is_routed(self) -> bool:
        """Whether it is the router that carries it out."""
        return self.work in (Work.ROUTE, Work.SYNTHETIC)

    @property
    def document(self) -> dict[str, Any]:
        watched = {"soak_s": self.soak_s, "gate": self.gate}
        if self.work is Work.ROUTE:
            return {"share": self.share / 1000, **watched}
        if self.work is Work.BATCH:
            return {"work": self.work.value, "instances": list(self.instances), **watched}
        least = {"minimum_requests": self.minimum_requests} if self.minimum_requests else {}
        return {"work": self.work.value, **watched, **least}


DEPLOY: Final = Step(0, work=Work.DEPLOY)
"""What is deployed, without any check of that."""


@dataclass(frozen=True, slots=True)
class Batches:
    """How a rolling release goes through the instances of its service: ``size`` at a time, each
    batch watched for ``soak_s``, with never fewer than ``floor`` of the others in service."""

    size: int = 1
    soak_s: int = 30
    floor: int = 1
    earlier: Earlier = Earlier.RETURN

    @property
    def document(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "soak_s": self.soak_s,
            "floor": self.floor,
            "earlier": self.earlier.value,
        }

    def steps(self, instances: Sequence[str]) -> tuple[Step, ...]:
        """A step for each batch, in the order of the instances."""
        found = []
        for place in range(0, len(instances), self.size):
            batch = tuple(instances[place : place + self.size])
            share = round(WHOLE * (place + len(batch)) / len(instances))
            found.append(Step(share, self.soak_s, work=Work.BATCH, instances=batch))
        # what follows the last batch is the watch
        return (*found[:-1], replace(found[-1], soak_s=0))


def linear(first: int, count: int) -> list[int]:
    """``count`` shares at equal distances from ``first`` to all."""
    return [first + round((WHOLE - first) * n / (count - 1)) for n in range(count)]


def exponential(first: int, count: int) -> list[int]:
    """``count`` shares from ``first`` to all, each larger than the last by the same factor."""
    factor = (WHOLE / first) ** (1 / (count - 1))
    return [round(first * factor**n) for n in range(count - 1)] + [WHOLE]


CURVES: Final = {"linear": linear, "exponential": exponential}


def choice(kind: type[StrEnum], what: str) -> Reader[Any]:
    """One of the words of an enum, as its member; ``what`` names such a thing in the problem."""
    read = one_of([member.value for member in kind], what)
    return lambda value: kind(read(value))


def _read_share(value: object) -> int:
    share = read_percentage(value)
    if share == 0:
        refuse("Give a share above 0 %; cohorts come first by themselves.")
    return share


_WATCHED: Final[dict[str, Reader[Any]]] = {"soak_s": integer(0, 30 * DAY_S), "gate": read_boolean}
_read_work = choice(Work, "kind of step")
_STEPS: Final[dict[Work, Reader[Step]]] = {
    Work.ROUTE: record(Step, {"share": _read_share}, _WATCHED),
    Work.DEPLOY: record(partial(Step, 0, work=Work.DEPLOY), {}, _WATCHED),
    Work.SYNTHETIC: record(
        partial(Step, 0, work=Work.SYNTHETIC),
        {},
        {**_WATCHED, "minimum_requests": integer(1, MOST_REQUESTS)},
    ),
    Work.RETIRE: record(partial(Step, WHOLE, work=Work.RETIRE), {}, {}),
    Work.BATCH: record(
        partial(Step, 0, work=Work.BATCH),
        {"instances": list_of(name(100, 1), least=1, most=MOST_INSTANCES)},
        _WATCHED,
    ),
}


def read_step(value: object) -> Step:
    document = read_object(value)
    if "work" not in document:
        return _STEPS[Work.ROUTE](document)
    try:
        work = _read_work(document["work"])
    except DocumentError as error:
        raise DocumentError(error.under("work")) from None
    rest = {field: one for field, one in document.items() if field != "work"}
    if work is Work.RETIRE:
        rest = {field: one for field, one in rest.items() if one}  # it is watched for no time
    return _STEPS[work](rest)


read_batches: Final = record(
    Batches,
    {},
    {
        "size": integer(1, MOST_INSTANCES),
        "soak_s": integer(0, 30 * DAY_S),
        "floor": integer(0, MOST_INSTANCES),
        "earlier": choice(Earlier, "way"),
    },
)
