"""Where a flag is in its life: in use, potentially stale, ready to archive. Pure.

A flag is potentially stale when anything speaks for it: it is older than its kind is expected to
live, everyone has been served the same for some time, or nobody asks for it any more. It is ready
to archive when it decides nothing anywhere and nobody asks. What is meant to stay is in use.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.utils.translation import gettext as _, gettext_lazy, ngettext

DAY: Final = timedelta(days=1)
EXPECTED_LIFE: Final[dict[str, timedelta]] = {
    "release": 40 * DAY,
    "experiment": 40 * DAY,
    "operational": 7 * DAY,
}
"""Kinds that are not named here are meant to stay."""
SETTLED_AFTER: Final = 14 * DAY
SILENT_AFTER: Final = 7 * DAY


class Stage(StrEnum):
    IN_USE = "in_use"
    STALE = "potentially_stale"
    READY = "ready_to_archive"

    @property
    def label(self) -> str:
        return str(_LABELS[self])


_LABELS = {
    Stage.IN_USE: gettext_lazy("in use"),
    Stage.STALE: gettext_lazy("potentially stale"),
    Stage.READY: gettext_lazy("ready to archive"),
}


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """A flag in one environment; ``everyone_gets`` is empty where it depends on who asks."""

    enabled: bool
    everyone_gets: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a flag. ``counted_since`` is None while nothing was ever counted.

    A flag ``is_needed`` where others refer to it: then it decides, though nobody asks for it.
    """

    kind: str
    permanent: bool
    created_at: datetime
    places: tuple[EnvironmentFacts, ...]
    last_evaluated_at: datetime | None
    counted_since: datetime | None
    is_needed: bool = False


@dataclass(frozen=True, slots=True)
class Lifecycle:
    stage: Stage
    why: tuple[str, ...]


def judge(facts: Facts, *, now: datetime) -> Lifecycle:
    if facts.permanent:
        return Lifecycle(Stage.IN_USE, (_("It is marked as permanent."),))
    if facts.kind not in EXPECTED_LIFE:
        return Lifecycle(Stage.IN_USE, (_("Flags of this kind are meant to stay."),))
    silent = _silence(facts, now)
    why = tuple(filter(None, (_age(facts, now), _settled(facts, now), silent)))
    if not why:
        return Lifecycle(Stage.IN_USE, tuple(_what_keeps_it(facts, now)))
    if silent and _decides_nothing(facts):
        return Lifecycle(Stage.READY, why)
    return Lifecycle(Stage.STALE, why)


def _what_keeps_it(facts: Facts, now: datetime) -> Iterator[str]:
    yield _age_in_words(facts, now)
    if facts.last_evaluated_at and now - facts.last_evaluated_at < SILENT_AFTER:
        yield _("Evaluated within the last {time}.").format(time=_days(SILENT_AFTER))
    if facts.is_needed:
        yield _("Other flags refer to it.")


def _age(facts: Facts, now: datetime) -> str:
    too_old = now - facts.created_at > EXPECTED_LIFE[facts.kind]
    return _age_in_words(facts, now) if too_old else ""


def _age_in_words(facts: Facts, now: datetime) -> str:
    text = _("It is {age} old; a flag of this kind is expected to live {expected}.")
    expected = _days(EXPECTED_LIFE[facts.kind])
    return text.format(age=_days(now - facts.created_at), expected=expected)


def _settled(facts: Facts, now: datetime) -> str:
    """Why it decides nothing; only where that has been so for a while."""
    if not _decides_nothing(facts):
        return ""
    since = max(place.changed_at for place in facts.places)
    if now - since < SETTLED_AFTER:
        return ""
    on = facts.places[0].enabled
    text = (
        _("It is on for everyone in every environment, unchanged for {time}.")
        if on
        else _("It is off in every environment, unchanged for {time}.")
    )
    return text.format(time=_days(now - since))


def _silence(facts: Facts, now: datetime) -> str:
    """That nobody asks; silence counts only from when counting began."""
    if facts.counted_since is None or facts.is_needed:
        return ""
    heard = facts.last_evaluated_at or max(facts.created_at, facts.counted_since)
    if now - heard < SILENT_AFTER:
        return ""
    if facts.last_evaluated_at:
        return _("Not evaluated for {time}.").format(time=_days(now - heard))
    text = _("Not evaluated in the {time} since counting began.")
    return text.format(time=_days(now - heard))


def _decides_nothing(facts: Facts) -> bool:
    """Whether it is fully rolled out, or off, everywhere: the code could do without it."""
    same = len({place.enabled for place in facts.places}) == 1
    return same and all(place.everyone_gets for place in facts.places)


def _days(time: timedelta) -> str:
    return ngettext("{n} day", "{n} days", time.days).format(n=time.days)
