"""A small chart in a row of a list: the points of a line, for an SVG in the page."""

from collections.abc import Sequence
from dataclasses import dataclass

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
