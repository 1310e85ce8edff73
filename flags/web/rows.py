"""Flags and configurations as lists and headers show them."""

from collections.abc import Sequence
from dataclasses import dataclass

from flags import wording
from flags.engine import DocumentError
from flags.models import Flag, FlagConfiguration
from flags.usage.standing import Seen
from flags.web.arriving import Mark, Marks
from portal.access.models import Environment


@dataclass(frozen=True, slots=True)
class Cell:
    """A flag in one environment."""

    flag: Flag
    configuration: FlagConfiguration
    mark: Mark | None = None
    """What is said of a change that is not known to be live."""

    @property
    def environment(self) -> Environment:
        return self.configuration.environment

    @property
    def summary(self) -> str:
        """What it serves, in a few words; a configuration that no longer parses says so."""
        try:
            return wording.summary(self.configuration.configuration)
        except DocumentError as error:
            return str(error)

    @property
    def rules(self) -> int:
        """How many rules and lists of single users there are."""
        targeting = self.configuration.targeting
        return len(targeting.get("rules", ())) + len(targeting.get("targets", ()))

    @property
    def fallthrough(self) -> str:
        """What everyone else gets while it is on."""
        try:
            return wording.serve(self.configuration.configuration.fallthrough)
        except DocumentError as error:
            return str(error)

    @property
    def id(self) -> str:
        """The element id of its switch."""
        return f"switch-{self.configuration.pk}"


class FlagRow:
    """A flag and its cells in order of environments; in lists also how much it is asked for."""

    def __init__(
        self,
        flag: Flag,
        seen: Seen | None = None,
        counts: Sequence[int] | None = None,
        *,
        favourite: bool = False,
        marks: Marks | None = None,
    ) -> None:
        self.flag, self.seen, self.favourite = flag, seen, favourite
        self.sparkline = sparkline(counts) if counts else None
        self.cells = []
        for configuration in flag.configurations.all():
            mark = (marks or {}).get((configuration.environment_id, flag.key))
            self.cells.append(Cell(flag, configuration, mark))


WIDTH, HEIGHT = 72, 20


@dataclass(frozen=True, slots=True)
class Sparkline:
    """``points`` are as SVG's polyline wants them; the line lies a pixel inside the frame."""

    total: int
    points: str


def sparkline(counts: Sequence[int]) -> Sparkline:
    """The line of some counts, the highest at the top and none at the bottom."""
    most = max([*counts, 1])
    step = WIDTH / max(len(counts) - 1, 1)
    points = (
        f"{index * step:.1f},{HEIGHT - 1 - count / most * (HEIGHT - 2):.1f}"
        for index, count in enumerate(counts)
    )
    return Sparkline(sum(counts), " ".join(points))
