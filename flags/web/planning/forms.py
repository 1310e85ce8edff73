"""The forms of schedules and ramps: documents out of what somebody filled in."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from flags import wording
from flags.engine import Configuration, Split
from flags.models import FlagConfiguration
from flags.plans import OPERATIONS, share_of
from portal.approvals.web.freeze_form import sent_values
from portal.lib.errors import AviaryError, Invalid
from portal.lib.web.forms import read_json

ROWS = 6
# What a careful person would do, as a start.
# Percent, and after how many hours.
_CAREFUL = ((1, 0), (10, 24), (50, 48), (100, 72))
_RAMP = ("starts", "zone", "target", "pace", "from", "to", "hours", "minutes", "reason", "typed")
_SCHEDULE = ("operation", "rule", "percent", "configuration", "zone", "starts", "reason", "typed")
_TIMES = ("repeat", "until", "rrule")


@dataclass(slots=True)
class Form:
    """What stands in a form: texts by name, and the rows of a ramp's steps."""

    values: dict[str, Any] = field(default_factory=dict)
    rows: list[tuple[str, str]] = field(default_factory=list)


def new_form(kind: str, zone: str, document: dict[str, object], share: float) -> Form:
    """An empty form; a ramp's steps begin above a share, in percent, that is there already."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    common = {"zone": zone, "repeat": "once", "weekdays": [], "pace": "steps"}
    values = common | {"from": f"{share:g}", "to": "100", "hours": "24", "minutes": "60"}
    left = [(percent, hours) for percent, hours in _CAREFUL if percent > share]
    steps = [(str(percent), str(hours - left[0][1])) for percent, hours in left]
    rows = [*steps, *[("", "")] * (ROWS - len(steps))] if kind == "ramp" else []
    return Form(values | {"configuration": text}, rows)


def sent_form(sent: QueryDict) -> Form:
    """What somebody filled in."""
    values: dict[str, Any] = {
        name: sent.get(name, "").strip() for name in {*_RAMP, *_SCHEDULE, *_TIMES}
    }
    values["weekdays"] = sent.getlist("weekdays")
    pairs = [(sent.get(f"percent{n}", ""), sent.get(f"after{n}", "")) for n in range(ROWS)]
    return Form(values, [(one.strip(), other.strip()) for one, other in pairs])


def document_of(kind: str, form: Form, sent: QueryDict) -> dict[str, Any]:
    """What the services take. Raises Invalid for what is no number or no JSON."""
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
    """What a schedule can do."""
    return [(name, str(one.label)) for name, one in OPERATIONS.items()]


def rules_of(configuration: Configuration) -> list[tuple[str, str]]:
    """The rules, by their ids."""
    return [(rule.id, _named(rule.name, wording.rule(rule))) for rule in configuration.rules]


def first_share(stored: FlagConfiguration) -> float:
    """The share, in percent, of the first thing that a ramp could raise; 0 where there is none."""
    try:
        targets = targets_of(stored.configuration)
    except (AviaryError, ValueError):  # what is stored is of another time
        return 0
    if not targets:
        return 0
    part, _colon, rule = targets[0][0].partition(":")
    return (share_of(stored.document, {"part": part, "rule": rule}) or 0) / 1000


def targets_of(configuration: Configuration) -> list[tuple[str, str]]:
    """What a ramp could raise."""
    found = []
    for rule in configuration.rules:
        label = _named(rule.name, wording.rule(rule))
        if rule.audience is not None:
            text = _("Who of those that match is let in: {rule}")
            found.append((f"audience:{rule.id}", text.format(rule=label)))
        if isinstance(rule.serve, Split):
            text = _("First share of the split: {rule}")
            found.append((f"split:{rule.id}", text.format(rule=label)))
    if isinstance(configuration.fallthrough, Split):
        text = _("First share for everyone else: {shares}")
        found.append(("split:", text.format(shares=wording.serve(configuration.fallthrough))))
    return found


def _named(name: str, words: str) -> str:
    return f"“{name}”, {words}" if name else words
