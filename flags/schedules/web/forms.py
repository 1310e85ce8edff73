import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from flags.core import descriptions as flag_descriptions
from flags.engine import Configuration, Split
from flags.models import Flag, FlagConfiguration
from flags.schedules import descriptions
from flags.schedules.models import Plan
from flags.schedules.ramps import OPERATIONS, following, share_of
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope
from portal.approvals.freezes.web.form import sent_values
from portal.lib.errors import AviaryError, Forbidden, Invalid
from portal.lib.web.pages import read_json

ROWS = 6
# What a careful person would do, as a start.
# Percent, and after how many hours.
_CAREFUL = ((1, 0), (10, 24), (50, 48), (100, 72))
_RAMP = ("starts", "zone", "target", "pace", "from", "to", "hours", "minutes", "reason", "typed")
_SCHEDULE = ("operation", "rule", "percent", "configuration", "zone", "starts", "reason", "typed")
_TIMES = ("repeat", "until", "rrule")


@dataclass(slots=True)
class Form:
    values: dict[str, Any] = field(default_factory=dict)
    rows: list[tuple[str, str]] = field(default_factory=list)


def new_form(kind: str, zone: str, document: dict[str, object], share: float) -> Form:
    text = json.dumps(document, ensure_ascii=False, indent=2)
    common = {"zone": zone, "repeat": "once", "weekdays": [], "pace": "steps"}
    values = common | {"from": f"{share:g}", "to": "100", "hours": "24", "minutes": "60"}
    left = [(percent, hours) for percent, hours in _CAREFUL if percent > share]
    steps = [(str(percent), str(hours - left[0][1])) for percent, hours in left]
    rows = [*steps, *[("", "")] * (ROWS - len(steps))] if kind == "ramp" else []
    return Form(values | {"configuration": text}, rows)


def sent_form(sent: QueryDict) -> Form:
    values: dict[str, Any] = {
        name: sent.get(name, "").strip() for name in {*_RAMP, *_SCHEDULE, *_TIMES}
    }
    values["weekdays"] = sent.getlist("weekdays")
    pairs = [(sent.get(f"percent{n}", ""), sent.get(f"after{n}", "")) for n in range(ROWS)]
    return Form(values, [(one.strip(), other.strip()) for one, other in pairs])


def document_of(kind: str, form: Form, sent: QueryDict) -> dict[str, Any]:
    return _ramp(form) if kind == "ramp" else _schedule(form, sent)


def _schedule(form: Form, sent: QueryDict) -> dict[str, Any]:
    values = form.values
    document = {name: values[name] for name in ("operation", "starts", "zone")}
    document["rrule"] = sent_values(sent).document["rrule"]
    if values["operation"] == "percent":
        document |= {"rule": values["rule"], "percent": _number(values["percent"], "percent")}
    elif values["operation"] == "replace":
        document["configuration"] = read_json(
            values["configuration"], "configuration", _("Write it as JSON.")
        )
    return document


def _ramp(form: Form) -> dict[str, Any]:
    values = form.values
    part, _colon, rule = values["target"].partition(":")
    document: dict[str, Any] = {"target": {"part": part, "rule": rule}, "zone": values["zone"]}
    document["starts"] = values["starts"]
    if values["pace"] == "linear":
        document["linear"] = {
            "from": _number(values["from"], "linear.from"),
            "to": _number(values["to"], "linear.to"),
            "duration_s": _seconds(values["hours"], 3600, "linear.duration_s"),
            "interval_s": _seconds(values["minutes"], 60, "linear.interval_s"),
        }
        return document
    filled = [(n, row) for n, row in enumerate(form.rows) if any(row)]
    document["steps"] = [
        {
            "percent": _number(percent, f"steps[{n}].percent"),
            "after_s": _seconds(after, 3600, f"steps[{n}].after_s"),
        }
        for n, (percent, after) in filled
    ]
    return document


def _number(text: str, path: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise Invalid({path: _("Write a number, such as 12.5.")}) from None


def _seconds(text: str, unit: int, path: str) -> int:
    number = _number(text, path) * unit
    if not 0 <= number < 1e9:  # not a number, or infinite
        raise Invalid({path: _("Write a number, such as 12.5.")})
    return round(number)


def operations() -> list[tuple[str, str]]:
    return [(name, str(one.label)) for name, one in OPERATIONS.items()]


def rules_of(configuration: Configuration) -> list[tuple[str, str]]:
    return [
        (rule.id, _named(rule.name, flag_descriptions.rule(rule))) for rule in configuration.rules
    ]


def first_share(stored: FlagConfiguration) -> float:
    try:
        targets = targets_of(stored.configuration)
    except (AviaryError, ValueError):  # what is stored is of another time
        return 0
    if not targets:
        return 0
    part, _colon, rule = targets[0][0].partition(":")
    return (share_of(stored.document, {"part": part, "rule": rule}) or 0) / 1000


def targets_of(configuration: Configuration) -> list[tuple[str, str]]:
    found = []
    for rule in configuration.rules:
        label = _named(rule.name, flag_descriptions.rule(rule))
        if rule.audience is not None:
            text = _("Share of those who match: {rule}")
            found.append((f"audience:{rule.id}", text.format(rule=label)))
        if isinstance(rule.serve, Split):
            text = _("First share of the split: {rule}")
            found.append((f"split:{rule.id}", text.format(rule=label)))
    if isinstance(configuration.fallthrough, Split):
        text = _("First share for everyone else: {shares}")
        found.append(
            ("split:", text.format(shares=flag_descriptions.serve(configuration.fallthrough)))
        )
    return found


def _named(name: str, words: str) -> str:
    return f"“{name}”, {words}" if name else words


# Plans as the timeline shows them.


UPCOMING = 5
_COLOURS = {"running": "status-green", "paused": "status-orange"}


@dataclass(frozen=True, slots=True)
class Button:
    name: str
    label: str
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class PlanRow:
    plan: Plan
    current: dict[str, object]
    share: int | None
    buttons: list[Button]

    @property
    def title(self) -> str:
        return descriptions.title(self.plan)

    @property
    def what(self) -> str:
        if self.plan.is_ramp:
            return descriptions.target_words(self.plan.document, self.current)
        return descriptions.what(self.plan, self.current)

    @property
    def colour(self) -> str:
        return _COLOURS.get(self.plan.state, "")

    @property
    def moments(self) -> list[Moment]:
        plan = self.plan
        if not plan.is_running or plan.due_at is None:
            return []
        found = [plan.due_at]
        if not plan.is_ramp and plan.timetable.rrule:
            found += [one.at for one in following(plan.timetable, plan.due_at, UPCOMING - 1)]
        zone = plan.document["zone"]
        return [Moment(at, descriptions.moment_words(at, zone)) for at in found]

    @property
    def progress(self) -> float | None:
        return None if self.share is None else self.share / 1000

    @property
    def next_share(self) -> str:
        steps, at = self.plan.steps, self.plan.step
        if at >= len(steps):
            return ""
        return _("Step {n} of {all}: {percent} %. It ends at {last} %.").format(
            n=at + 1,
            all=len(steps),
            percent=descriptions.percent(steps[at].share),
            last=descriptions.percent(steps[-1].share),
        )


def rows_of(scope: Scope, flag: Flag, environment: Environment) -> list[PlanRow]:
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


def why_not_control(scope: Scope, plan: Plan, name: str) -> str:
    if not {"pause": plan.is_running, "resume": plan.is_paused, "cancel": plan.is_alive}[name]:
        return _("It is {state}.").format(state=plan.get_state_display())
    if name != "resume" and scope.permissions & {Permission.FLAG_EDIT, Permission.FLAG_TOGGLE}:
        return ""
    missing = [one for one in plan.permissions if one not in scope.permissions]
    return str(Forbidden(missing[0])) if missing else ""


def _buttons(scope: Scope, plan: Plan) -> list[Button]:
    names = ("resume" if plan.is_paused else "pause", "cancel")
    labels = {"pause": _("Pause"), "resume": _("Resume"), "cancel": _("Cancel plan")}
    return [Button(name, labels[name], why_not_control(scope, plan, name)) for name in names]
