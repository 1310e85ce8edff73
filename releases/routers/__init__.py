"""Routers: who moves traffic, told what is wanted of them, and asked what they do.

What a router says is the truth. A router of kind ``flag`` is a flag by which applications route;
it lies in our database, so it is moved in the transaction that decides so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from releases.engine.decisions import Traffic


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a release wants of its router: the share of the new version (thousandths of a percent),
    and the cohorts that get it whatever the share.

    ``back`` says that it goes back; ``turns_on`` that the flag by which it routes was off before
    the first step, which turns it on. Nothing else turns anything on.
    """

    share: int
    cohorts: tuple[str, ...] = ()
    back: bool = False
    turns_on: bool = False

    @property
    def document(self) -> dict[str, Any]:
        return {
            "share": self.share,
            "cohorts": list(self.cohorts),
            "back": self.back,
            "turns_on": self.turns_on,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Wanted":
        return cls(
            document["share"], tuple(document["cohorts"]), document["back"], document["turns_on"]
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What a router says. ``share`` is None where it says what no release makes of it, and
    ``is_off`` where it sends nobody anywhere; ``away`` why it says nothing. ``version`` is that of
    a flag's configuration."""

    share: int | None = None
    cohorts: tuple[str, ...] = ()
    is_off: bool = False
    away: str = ""
    version: int | None = field(default=None, compare=False)

    def traffic(self, wanted: Wanted, *, reached: bool, before: "Told") -> Traffic:
        """What that is beside what is wanted. ``reached`` says whether it was so once, and
        ``before`` is what the router says by itself, as after a restart."""
        if self.away:
            return Traffic.AWAY
        if self.is_as(wanted):
            return Traffic.AS_WANTED
        if not reached:
            return Traffic.NOT_YET
        return Traffic.LOST if self == before else Traffic.FOREIGN

    def is_as(self, wanted: Wanted) -> bool:
        return not self.is_off and (self.share, self.cohorts) == (wanted.share, wanted.cohorts)
