from dataclasses import dataclass
from datetime import datetime

from releases.core import wording
from releases.core.models import Release
from releases.engine.plans import WHOLE


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the router says it does, beside what is wanted of it; shares in thousandths."""

    share: int | None
    wanted: int | None
    baseline: int
    cohorts: tuple[str, ...]
    at: datetime | None
    away: str
    is_off: bool

    @classmethod
    def of(cls, release: Release) -> "Traffic":
        told, share = release.told, release.told.get("share")
        split = isinstance(share, int) and release.router.get("baseline")
        at = told.get("at")
        return cls(
            share=share,
            wanted=release.wanted.get("share"),
            baseline=min(share, WHOLE - share) if split else 0,
            cohorts=tuple(told.get("cohorts") or ()),
            at=datetime.fromisoformat(at) if at else None,
            away=str(told.get("away") or ""),
            is_off=bool(told.get("is_off")),
        )

    @property
    def new(self) -> str:
        return wording.percent(self.share or 0)

    @property
    def stable(self) -> str:
        return wording.percent(WHOLE - (self.share or 0) - self.baseline)

    @property
    def baseline_words(self) -> str:
        return wording.percent(self.baseline) if self.baseline else ""

    @property
    def bars(self) -> list[tuple[str, float]]:
        """Widths of the bar's portions, in percent."""
        new = self.share or 0
        found = [(1, new), (0, WHOLE - new - self.baseline), (3, self.baseline)]
        return [(f"portion-{colour}", share / 1000) for colour, share in found if share]

    @property
    def differs(self) -> str:
        """What it is still to become; empty where it is as wanted."""
        if self.wanted is None or self.share is None or self.wanted == self.share:
            return ""
        return wording.percent(self.wanted)
