"""Routers: who moves traffic, told what is wanted of them, and asked what they do.

What a router says is the truth. A router of kind ``flag`` is a flag by which applications route;
it lies in our database, so it is moved in the transaction that decides so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from releases.engine.decisions import Traffic


def lies_outside(router: Mapping[str, Any]) -> bool:
    """Whether it is a program elsewhere, asked at every look."""
    return router["kind"] in ("webhook", "haproxy")


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
    ``is_off`` where it sends nobody anywhere; ``away`` why it says nothing. ``is_lost`` says that
    it has forgotten what it was told, and ``said`` what it says instead, for people. ``version`` is
    that of a flag's configuration, and ``pins`` says when its rules go that pin visits (Unix
    seconds).

    Of a step that does more than to move traffic, ``pending`` says that this is not done yet,
    ``failed`` why it never will be, ``waits`` for what it has to wait, and ``detail`` how far it
    is.
    """

    share: int | None = None
    cohorts: tuple[str, ...] = ()
    is_off: bool = False
    away: str = ""
    pending: bool = False
    failed: str = ""
    waits: str = ""
    detail: str = ""
    is_lost: bool = False
    said: str = ""
    version: int | None = field(default=None, compare=False)
    pins: tuple[int, ...] = field(default=(), compare=False)

    def traffic(self, wanted: Wanted, *, reached: bool, before: "Told | None") -> Traffic:
        """What that is beside what is wanted. ``reached`` says whether it was so once, and
        ``before`` is what the router says by itself, as after a restart."""
        if self.failed:
            return Traffic.FAILED
        if self.away or self.waits:
            return Traffic.AWAY if self.away else Traffic.WAITS
        if self.is_as(wanted):
            return Traffic.AS_WANTED
        if not reached:
            return Traffic.NOT_YET
        return Traffic.LOST if self.is_lost or self == before else Traffic.FOREIGN

    @property
    def why_not(self) -> str:
        return self.failed or self.away or self.waits

    def is_back_to(self, wanted: Wanted) -> bool:
        """Whether that is as far back as wanted, or farther: nobody is sent up again for that."""
        lower = self.share is not None and self.share < wanted.share and not self.cohorts
        lower = lower and not (self.pending or self.failed or self.away)
        return self.is_as(wanted) or (wanted.back and lower)

    def is_as(self, wanted: Wanted) -> bool:
        if self.is_off or self.pending or self.failed:
            return False
        return (self.share, self.cohorts) == (wanted.share, wanted.cohorts)

    @property
    def document(self) -> dict[str, Any]:
        more = {"failed": self.failed, "waits": self.waits, "detail": self.detail}
        return {
            "share": self.share,
            "cohorts": list(self.cohorts),
            "is_off": self.is_off,
            "away": self.away,
            **{name: text for name, text in more.items() if text},
            **({"pins": list(self.pins)} if self.pins else {}),
        }
