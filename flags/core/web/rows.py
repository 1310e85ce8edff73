"""Flags and configurations as lists and headers show them, with whether a change is live."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from django.db.models import Min
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_safe

from flags.core import descriptions, selectors
from flags.core.selectors import Moved, Mover
from flags.delivery import progress
from flags.delivery.progress import Arrival, Delivery
from flags.engine import DocumentError, Named
from flags.models import Flag, FlagConfiguration
from flags.usage.stages import FlagStage
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import clock

# Whether what was saved is live: marks beside switches, which go away once it is.

MOST_NAMES: Final = 5


@dataclass(frozen=True, slots=True)
class Mark:
    words: str
    evaluators: str = ""
    """The names of those that do not have it."""


Marks = dict[tuple[int, str], Mark]


def read_marks(environments: Iterable[Environment], flags: Collection[Flag]) -> tuple[Marks, bool]:
    """The marks of these flags, by environment's id and flag's key.

    And whether nobody would notice any change: no evaluator has reported, here or elsewhere.
    """
    found = progress.read(environments).values()
    return _marks(found, [flag.key for flag in flags]), _is_unused(found)


def marks_of_switched(environment: Environment, flag: Flag) -> tuple[Marks, bool]:
    """The same of a flag that was just changed, after a moment in which it mostly gets there."""
    found = progress.wait_until_live([environment], within_s=progress.PATIENCE_S).values()
    return _marks(found, [flag.key]), _is_unused(found)


def said_of_saving(environments: Iterable[Environment], text: str) -> str:
    """The text where what was saved is live, after a moment for that; else what is known of it."""
    found = progress.wait_until_live(list(environments), within_s=progress.PATIENCE_S)
    now = clock.now()
    late = [_describe(one, one.since() or now, now) for one in found.values() if one.is_pending]
    return late[0] if late else text


@require_safe
@project_page(Permission.FLAG_VIEW)
def flag_mark(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    """One mark as it is now, or nothing, which takes it from the page."""
    flag, place = find_flag(scope, key), scope.environment(environment)
    marks, _unused = read_marks([place], [flag])
    mark = marks.get((place.pk, flag.key))
    context = {"scope": scope, "flag": flag, "place": place, "mark": mark}
    return render(request, "flags/core/_mark.html", context)


@require_safe
@project_page(Permission.FLAG_VIEW)
def evaluators(request: HttpRequest, scope: Scope) -> HttpResponse:
    _none, unused = read_marks(scope.environments, [])
    return render(
        request, "flags/core/_no_evaluator.html", {"scope": scope, "no_evaluator": unused}
    )


def _is_unused(deliveries: Collection[Delivery]) -> bool:
    return bool(deliveries) and all(one.arrival is Arrival.UNUSED for one in deliveries)


def _marks(deliveries: Iterable[Delivery], keys: list[str]) -> Marks:
    marks: Marks = {}
    now = clock.now()
    for one in deliveries:
        changes = one.changes().filter(kind=Named.FLAG, key__in=keys)
        for key, since in changes.values_list("key").annotate(at=Min("changed_at")):
            marks[one.environment_id, key] = Mark(_describe(one, since, now), _names(one))
    return marks


def _describe(one: Delivery, since: datetime, now: datetime) -> str:
    waited = _lasting((now - since).total_seconds())
    if one.arrival is Arrival.UNKNOWN:
        return _("Saved. Evaluators cannot be reached, so it is unknown whether they have it.")
    if one.arrival is Arrival.SILENT:
        silent = _lasting(min(report.age_s for report in one.reports))
        text = _(
            "Saved. No evaluator has reported for {time}, so it is unknown whether any has it."
        )
        return text.format(time=silent)
    if not one.live:
        return _("Saved, not yet live: not sent to evaluators for {time}.").format(time=waited)
    text = ngettext(
        "Saved, not yet live: {behind} of {n} evaluator behind for {time}.",
        "Saved, not yet live: {behind} of {n} evaluators behind for {time}.",
        len(one.live),
    )
    return text.format(behind=len(one.behind), n=len(one.live), time=waited)


def _names(one: Delivery) -> str:
    names = [report.evaluator.partition("#")[0] for report in one.behind]
    more = ["…"] if len(names) > MOST_NAMES else []
    return ", ".join([*names[:MOST_NAMES], *more])


def _lasting(seconds: float) -> str:
    """“12 s”, “3 min”, “2 h”: at most two digits change while one looks."""
    whole = max(0, int(seconds))
    if whole < 60:
        return _("{n} s").format(n=whole)
    if whole < 3600:
        return _("{n} min").format(n=whole // 60)
    return _("{n} h").format(n=whole // 3600)


# What a page is about: 404 where the project has none of that key.


def find_flag(scope: Scope, key: str) -> Flag:
    try:
        return selectors.get_flag(scope.project, key)
    except Flag.DoesNotExist:
        raise Http404(key) from None


@dataclass(frozen=True)
class Cell:
    flag: Flag
    configuration: FlagConfiguration
    mark: Mark | None = None
    """What is said of a change that is not known to be live."""
    mover: Mover | None = None

    @cached_property
    def environment(self) -> Environment:
        return self.configuration.environment

    @cached_property
    def summary(self) -> str:
        try:
            return descriptions.summary(self.configuration.configuration)
        except DocumentError as error:
            return str(error)

    @property
    def rules(self) -> int:
        targeting = self.configuration.targeting
        return len(targeting.get("rules", ())) + len(targeting.get("targets", ()))

    @property
    def fallthrough(self) -> str:
        try:
            return descriptions.serve(self.configuration.configuration.fallthrough)
        except DocumentError as error:
            return str(error)

    @cached_property
    def id(self) -> str:
        return f"switch-{self.configuration.pk}"


class FlagRow:
    """A flag and its cells in order of environments; in lists also how much it is asked for."""

    def __init__(
        self,
        flag: Flag,
        seen: FlagStage | None = None,
        counts: Sequence[int] | None = None,
        *,
        favourite: bool = False,
        marks: Marks | None = None,
        moved: Moved | None = None,
    ) -> None:
        self.flag, self.seen, self.favourite = flag, seen, favourite
        self.sparkline = sparkline(counts) if counts else None
        self.cells = []
        for configuration in flag.configurations.all():
            at = (configuration.environment_id, flag.key)
            mark, mover = (marks or {}).get(at), (moved or {}).get(at)
            self.cells.append(Cell(flag, configuration, mark, mover))


WIDTH, HEIGHT = 72, 20


@dataclass(frozen=True, slots=True)
class Sparkline:
    """``points`` are as SVG's polyline wants them; the line lies a pixel inside the frame."""

    total: int
    points: str


def sparkline(counts: Sequence[int]) -> Sparkline:
    most = max([*counts, 1])
    step = WIDTH / max(len(counts) - 1, 1)
    points = (
        f"{index * step:.1f},{HEIGHT - 1 - count / most * (HEIGHT - 2):.1f}"
        for index, count in enumerate(counts)
    )
    return Sparkline(sum(counts), " ".join(points))
