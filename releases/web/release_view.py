from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.translation import gettext as _

from flags.delivery.users import UserCount
from releases.core import descriptions, exposures, quantities
from releases.core.models import Release, State, StepExecution
from releases.core.planning import reached_by
from releases.engine.checks import COMPARING, TESTED
from releases.engine.comparisons import effective
from releases.engine.plans import Plan
from releases.engine.steps import WHOLE, Step, Work
from releases.routers import flag as flag_router
from releases.web import tagged
from releases.web.labels import (
    COLOURS,
    IN_FREEZE,
    REACTIONS,
    STRATEGIES,
    TROUBLES,
    WAYS_BACK,
    CheckRow,
    router_words,
)


@dataclass(frozen=True, slots=True)
class TrafficView:
    """What the router says it does, beside what is wanted of it; shares in thousandths."""

    share: int | None
    wanted: int | None
    baseline: int
    cohorts: tuple[str, ...]
    at: datetime | None
    away: str
    is_off: bool

    @classmethod
    def of(cls, release: Release) -> "TrafficView":
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
        return quantities.percent(self.share or 0)

    @property
    def stable(self) -> str:
        return quantities.percent(WHOLE - (self.share or 0) - self.baseline)

    @property
    def baseline_words(self) -> str:
        return quantities.percent(self.baseline) if self.baseline else ""

    @property
    def bars(self) -> list[tuple[str, float]]:
        """Widths of the bar's portions, in percent."""
        new = self.share or 0
        found = [(1, new), (0, WHOLE - new - self.baseline), (3, self.baseline)]
        return [(f"portion-{colour}", share / 1000) for colour, share in found if share]

    @property
    def differs(self) -> str:
        if self.wanted is None or self.share is None or self.wanted == self.share:
            return ""
        return quantities.percent(self.wanted)


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of the stepper. ``place`` is “done”, “now”, “ahead”, or “stopped” where it was taken
    back from it, and “left” of those that it did not come to; ``ends_at`` is when it has been
    watched for long enough."""

    index: int
    step: Step
    cohorts: tuple[str, ...]
    place: str
    execution: StepExecution | None = None
    reached: int | None = None
    ends_at: datetime | None = None

    @property
    def number(self) -> int:
        return self.index + 1

    @property
    def title(self) -> str:
        if self.step.work is Work.ROUTE and not self.step.share:
            return _("Canary cohorts: {names}").format(names=", ".join(self.cohorts))
        said = descriptions.step_words(self.step)
        return said[:1].upper() + said[1:]

    @property
    def words(self) -> str:
        soak = _("watched for {time}").format(time=quantities.duration(self.step.soak_s))
        found = [soak] if self.step.soak_s else []
        if self.reached:
            found.insert(0, _("{n} users").format(n=quantities.about(self.reached)))
        if self.step.gate:
            found.append(_("then people decide"))
        return ", ".join(found)


@dataclass(frozen=True, slots=True)
class Next:
    words: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReleaseView:
    release: Release
    plan: Plan
    executions: Mapping[int, StepExecution]
    now: datetime
    users: UserCount | None = None

    @classmethod
    def of(cls, release: Release, now: datetime, users: UserCount | None = None) -> "ReleaseView":
        executions = {one.step: one for one in release.executions.all()}
        return cls(release, release.parsed_plan, executions, now, users)

    @property
    def colour(self) -> str:
        return COLOURS.get(State(self.release.state), "")

    @property
    def is_watched(self) -> bool:
        return self.release.is_watched(self.now)

    @property
    def steps(self) -> list[StepRow]:
        plan = self.plan
        return [
            StepRow(
                index,
                step,
                plan.cohorts,
                self._place(index),
                self.executions.get(index),
                reached_by(self.users, step.share),
                self._soaks_until if self._place(index) == "now" else None,
            )
            for index, step in enumerate(plan.all_steps)
        ]

    @property
    def position(self) -> str:
        """Where it is, for a row of a list: “step 2 of 4”."""
        return _("step {n} of {all}").format(n=self.release.step + 1, all=len(self.plan.all_steps))

    def _place(self, index: int) -> str:
        release = self.release
        if release.state == State.SUCCEEDED:
            return "done"
        if release.started_at is None:
            return "ahead"
        returned = release.is_over or release.state == State.ROLLING_BACK
        if index > release.step:
            return "left" if returned else "ahead"
        if index < release.step:
            return "done"
        return "stopped" if returned else "now"

    @property
    def _soaks_until(self) -> datetime | None:
        until = None if self.release.paused_at else self.release.soaked_at
        return until if until and until > self.now else None

    @property
    def traffic(self) -> TrafficView:
        return TrafficView.of(self.release)

    @property
    def checks(self) -> list[CheckRow]:
        said = self.release.checks
        origins, router = self.release.origins, self.release.router
        return [
            CheckRow(
                effective(check, router),
                said.get(check.key) or {},
                origins.get(check.key, ""),
                bool(router.get("baseline")),
            )
            for check in self.plan.checks
        ]

    @property
    def alarms(self) -> str:
        """How often its checks fail though nothing is wrong."""
        kinds = {check.kind for check in self.plan.checks}
        said = []
        if kinds - set(COMPARING):
            said.append(_("Thresholds are uncontrolled: the more of them, the more false alarms."))
        if kinds & set(TESTED):
            text = _(
                "Comparisons fail falsely at no more than {share} % of releases, all together, "
                "where instances of one version do alike."
            )
            said.append(text.format(share=f"{100 * self.plan.alpha:g}"))
        return " ".join(said)

    @property
    def exposed(self) -> str:
        return exposures.words(self.release)

    @property
    def holds(self) -> list[tuple[str, datetime | None]]:
        return [
            (descriptions.hold_words(self.release, hold), _moment(hold.get("since")))
            for hold in self.release.holds
        ]

    @property
    def warnings(self) -> list[str]:
        return [descriptions.hold_words(self.release, hold) for hold in self.release.warnings]

    @property
    def tester(self) -> str:
        """The value of the attribute by which a tester gets the new version; empty for none."""
        return str(self.release.router.get("tester", "")) if self.release.is_moving else ""

    @property
    def tester_link(self) -> str:
        return flag_router.tester_link(self.release.router) if self.tester else ""

    @property
    def tagged(self) -> list[str]:
        return tagged.lines_of(self.release)

    @property
    def proof(self) -> str:
        return descriptions.proof_words(self.release)

    @property
    def outcome(self) -> str:
        return descriptions.outcome_words(self.release) if self.release.is_over else ""

    @property
    def taken_back(self) -> str:
        is_now = self.release.state == State.ROLLING_BACK
        return descriptions.outcome_words(self.release) if is_now else ""

    @property
    def says(self) -> str:
        """What is new of it, for who hears the page instead of seeing it."""
        found = [self.outcome, self.taken_back, *(words for words, _since in self.holds)]
        return ": ".join(filter(None, [self.release.get_state_display(), *found[:2]]))

    @property
    def outcome_css(self) -> str:
        css = {State.SUCCEEDED: "alert-success", State.SUPERSEDED: "alert-info"}
        return css.get(State(self.release.state), "alert-danger")

    @property
    def stable_name(self) -> str:
        release = self.release
        before = release.router.get("stable") or _("before")
        return release.stable.version if release.stable else str(before)

    @property
    def plan_facts(self) -> list[tuple[str, str]]:
        plan = self.plan
        found = [
            (_("Strategy"), str(STRATEGIES[plan.strategy])),
            (_("Router"), router_words(self.release.router)),
            *((str(TROUBLES[one]), str(REACTIONS[what])) for one, what in plan.on.items()),
            (_("In a freeze"), str(IN_FREEZE[plan.in_freeze])),
            (_("Rollback"), str(WAYS_BACK[plan.return_strategy])),
            (
                _("Watched after the last step"),
                quantities.duration(plan.watch_s) if plan.watch_s else _("not at all"),
            ),
        ]
        if self.release.not_before:
            found.append((_("Not before"), f"{self.release.not_before:%Y-%m-%d %H:%M} UTC"))
        found += pin_facts(self.release)
        if plan.deadline_s:
            found.append((_("Deadline"), quantities.duration(plan.deadline_s)))
        return found

    @property
    def next(self) -> Next | None:
        release = self.release
        if release.state == State.PLANNED:
            # It starts by itself once somebody has said so, and not for being planned.
            starts = release.due_at and not release.holds
            return Next(_("Starts automatically in"), release.due_at) if starts else None
        if self.is_watched:
            return Next(_("Watched, and rolled back if a check fails, for another"),
                        release.watch_until)  # fmt: skip
        if release.state != State.RUNNING or release.holds:
            return None
        return self._next_step()

    @property
    def _waits_for(self) -> str:
        detail = str(self.release.told.get("detail") or "")
        if self.release.present.is_routed:
            return _("Waits for the router to say that the traffic is there")
        if self.release.present.work is Work.RETIRE:
            said = _("Stopping the old version")
        else:
            said = _("Deploying {version}").format(version=self.release.version)
        return f"{said}: {detail}" if detail else said

    def _next_step(self) -> Next:
        steps, index = self.plan.all_steps, self.release.step
        if self.release.entered_at is None:
            return Next(self._waits_for)
        soaked_at = self._soaks_until
        if index + 1 >= len(steps):
            words = (
                _("Succeeds, if its checks pass, in")
                if soaked_at
                else _("Succeeds, if its checks pass")
            )
            return Next(words, soaked_at)
        if steps[index].gate:
            decide = _("People decide about the next step")
            return Next(
                _("People decide about the next step in") if soaked_at else decide, soaked_at
            )
        passing = _("Next step, {share}, if its checks pass")
        words = _("Next step, {share}, if its checks pass, in") if soaked_at else passing
        return Next(words.format(share=descriptions.step_words(steps[index + 1])), soaked_at)


def pin_facts(release: Release) -> list[tuple[str, str]]:
    pin_s, ends = release.router.get("pin_s"), release.told.get("pins")
    found = [(_("Visits are pinned for"), quantities.duration(pin_s))] if pin_s else []
    if ends:
        until = datetime.fromtimestamp(max(ends), UTC)
        found.append((_("Some are pinned until"), f"{until:%Y-%m-%d %H:%M:%S} UTC"))
    return found


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None
