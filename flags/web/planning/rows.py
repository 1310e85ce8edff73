"""Plans as the timeline shows them."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from flags.models import Flag, Plan
from flags.plans import following, share_of
from flags.services.plans import sentences
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope
from portal.lib.errors import Forbidden

UPCOMING = 5
_COLOURS = {"running": "status-green", "paused": "status-orange"}


@dataclass(frozen=True, slots=True)
class Button:
    """Something to do with a plan; ``why_not`` is empty where the reader may do it now."""

    name: str
    label: str
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time to come, and how it reads in the plan's own zone."""

    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan, what is next of it, and what the reader may do with it."""

    plan: Plan
    current: dict[str, object]
    share: int | None
    buttons: list[Button]

    @property
    def title(self) -> str:
        return sentences.title(self.plan)

    @property
    def what(self) -> str:
        if self.plan.is_ramp:
            return sentences.target_words(self.plan.document, self.current)
        return sentences.what(self.plan, self.current)

    @property
    def colour(self) -> str:
        return _COLOURS.get(self.plan.state, "")

    @property
    def moments(self) -> list[Moment]:
        """What is next: of a schedule the next times, of a ramp its next step."""
        plan = self.plan
        if not plan.is_running or plan.due_at is None:
            return []
        found = [plan.due_at]
        if not plan.is_ramp and plan.timetable.rrule:
            found += [one.at for one in following(plan.timetable, plan.due_at, UPCOMING - 1)]
        zone = plan.document["zone"]
        return [Moment(at, sentences.moment_words(at, zone)) for at in found]

    @property
    def progress(self) -> float | None:
        """The share of a ramp as it is now, in percent."""
        return None if self.share is None else self.share / 1000

    @property
    def next_share(self) -> str:
        """What the next step of a ramp sets, and where it ends."""
        steps, at = self.plan.steps, self.plan.step
        if at >= len(steps):
            return ""
        return _("Step {n} of {all}: {percent} %. It ends at {last} %.").format(
            n=at + 1,
            all=len(steps),
            percent=sentences.percent(steps[at].share),
            last=sentences.percent(steps[-1].share),
        )


def rows_of(scope: Scope, flag: Flag, environment: Environment) -> list[PlanRow]:
    """The plans that are alive, what is due first first."""
    plans = list(flag.plans.alive().filter(environment=environment).order_by("due_at"))
    configuration = next(
        one for one in flag.configurations.all() if one.environment_id == environment.pk
    )
    document, rows = configuration.document, []
    for plan in plans:
        plan.environment = environment
        target = plan.document.get("target")
        share = share_of(document, target) if target else None
        rows.append(PlanRow(plan, document, share, _buttons(scope, plan)))
    return rows


def why_not_steer(scope: Scope, plan: Plan, name: str) -> str:
    """Why the reader may not pause, resume or cancel a plan; empty where they may."""
    wanted = {"pause": plan.is_running, "resume": plan.is_paused, "cancel": plan.is_alive}
    if not wanted[name]:
        return _("It is {state}.").format(state=plan.get_state_display())
    if name != "resume" and scope.permissions & {Permission.FLAG_EDIT, Permission.FLAG_TOGGLE}:
        return ""
    missing = [one for one in plan.permissions if one not in scope.permissions]
    return str(Forbidden(missing[0])) if missing else ""


def _buttons(scope: Scope, plan: Plan) -> list[Button]:
    names = ("resume" if plan.is_paused else "pause", "cancel")
    labels = {"pause": _("Pause"), "resume": _("Resume"), "cancel": _("Cancel plan")}
    return [Button(name, labels[name], why_not_steer(scope, plan, name)) for name in names]
