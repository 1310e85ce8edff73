from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _, ngettext

from flags.core.changes import configuration_words
from flags.schedules.models import Plan
from flags.schedules.ramps import OPERATIONS, following
from portal.approvals.freezes.descriptions import local_time, recurrence_words

Document = Mapping[str, Any]
_SHOWN = 5
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))


def title(plan: Plan) -> str:
    names = {"flag": plan.flag.title, "environment": plan.environment.name}
    if plan.is_ramp:
        return _("Ramp up {flag} in {environment}").format(**names)
    label = str(OPERATIONS[plan.document["operation"]].label)
    text = _("Scheduled in {environment}: {label}, {flag}")
    return text.format(label=label[:1].lower() + label[1:], **names)


def words(plan: Plan, current: Document) -> list[str]:
    if plan.is_ramp:
        return [ramp_start(plan), f"{target_words(plan.document, current)}:", *ramp_table(plan)]
    return [what(plan, current), *when(plan), *_replaced(plan, current)]


def what(plan: Plan, current: Document) -> str:
    document = plan.document
    if document["operation"] == "percent":
        text = _("Roll out the rule {rule} to {percent} % of those who match it.")
        return text.format(
            percent=f"{document['percent']:g}", rule=_rule_name(current, document["rule"])
        )
    return f"{OPERATIONS[document['operation']].label}."


def when(plan: Plan) -> list[str]:
    table = plan.timetable
    first = following(table, datetime(1999, 1, 1, tzinfo=UTC), _SHOWN if table.rrule else 1)
    times = [moment_words(one.at, table.zone) for one in first]
    if not table.rrule:
        return times
    return [_("It repeats: {often}.").format(often=recurrence_words(table.rrule)), *times]


def moment_words(at: datetime, zone: str) -> str:
    """“Fri 27 Nov 2026, 16:00 (Europe/Berlin), 2026-11-27 15:00 UTC”."""
    local = local_time(at.astimezone(ZoneInfo(zone)))
    if zone == "UTC":
        return f"{local} UTC"
    return f"{local} ({zone}), {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def target_words(document: Document, current: Document) -> str:
    target = document["target"]
    rule = _rule_name(current, target["rule"])
    if target["part"] == "audience":
        return _("Share of those who match the rule {rule}").format(rule=rule)
    if target["rule"]:
        return _("First share of the split of the rule {rule}").format(rule=rule)
    return _("First share of the split for everyone else")


def _rule_name(current: Document, rule_id: str) -> str:
    found = next((rule for rule in current.get("rules", []) if rule["id"] == rule_id), None)
    return f"“{found['name']}”" if found and found.get("name") else rule_id


def ramp_start(plan: Plan) -> str:
    if not plan.document["starts"]:
        return _("It starts at once.")
    (first,) = following(plan.timetable, datetime(1999, 1, 1, tzinfo=UTC))
    return _("It starts: {time}.").format(time=moment_words(first.at, plan.document["zone"]))


def ramp_table(plan: Plan) -> list[str]:
    steps = plan.steps
    shown = [*steps[:10], *steps[10:][-1:]]
    text = _("{percent} % after {time}")
    lines = [text.format(percent=percent(s.share), time=lasting(s.after_s)) for s in shown]
    if len(steps) > len(shown):
        lines.insert(10, _("… {n} more steps …").format(n=len(steps) - len(shown)))
    return lines


def percent(share: int) -> str:
    return f"{share / 1000:.3f}".rstrip("0").rstrip(".")


def lasting(seconds: int) -> str:
    """“2 days 4 hours”; “0 minutes” at the start."""
    texts = {
        "day": ngettext("{n} day", "{n} days", seconds // 86_400),
        "hour": ngettext("{n} hour", "{n} hours", seconds // 3600 % 24),
        "minute": ngettext("{n} minute", "{n} minutes", seconds // 60 % 60),
    }
    left = seconds
    parts: list[str] = []
    for size, name in _UNITS:
        number, left = divmod(left, size)
        if number or (name == "minute" and not parts):
            parts.append(texts[name].format(n=number))
    return " ".join(parts)


def _replaced(plan: Plan, current: Document) -> list[str]:
    if plan.document["operation"] != "replace":
        return []
    after = {"enabled": current["enabled"], **plan.document["configuration"]}
    return configuration_words(plan.flag, current, after)
