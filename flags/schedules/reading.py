"""Reading what somebody wants a plan to be, and saying of each field what is wrong with it."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from flags.schedules.ramps import OPERATIONS, following, steps_of, timetable_of
from portal.approvals.freezes.recurrence import BadRule, parse_rule
from portal.approvals.freezes.windows import YEARS, zones
from portal.lib.errors import Invalid, refuse

SHORTEST_STEP_S = 60
LONGEST_RAMP_S = 366 * 86_400
MOST_STEPS = 1000
# To the minute, and ASCII digits alone: fromisoformat takes much more.
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}\Z")
_SCHEDULE = {
    "turn_on": set[str](),
    "turn_off": set[str](),
    "percent": {"rule", "percent"},
    "replace": {"configuration", "base"},
}
_TIMES = {"operation", "starts", "zone", "rrule"}
_LINEAR = ("from", "to", "duration_s", "interval_s")
Problems = dict[str, str]
Document = Mapping[str, Any]


def read_schedule(document: object, *, moment: datetime) -> dict[str, Any]:
    """A schedule as it is kept, every default filled in. Raises Invalid.

    ``{operation, starts, zone, rrule?}`` and, by operation, ``{rule, percent}`` or
    ``{configuration}``; what the configuration says, the engine checks.
    """
    given = _mapping(document)
    operation = given.get("operation")
    if not isinstance(operation, str) or operation not in OPERATIONS:
        raise Invalid.of("operation", _("Choose one of {all}."), all=", ".join(OPERATIONS))
    _known(given, _TIMES | _SCHEDULE[operation])
    problems: Problems = {}
    wanted = {"operation": operation, "rrule": _rule(given, problems), **_times(given, problems)}
    for name in sorted(_SCHEDULE[operation]):
        _PARTS[name](given, wanted, problems)
    refuse(problems)
    if not following(timetable_of(wanted), moment):
        field = "rrule" if wanted["rrule"] else "starts"
        raise Invalid({field: _("This would never happen from now on; choose a future time.")})
    return wanted


def read_ramp(document: object, *, moment: datetime) -> dict[str, Any]:
    """A ramp as it is kept. Raises Invalid.

    ``{target: {part: audience|split, rule?}, steps: [{percent, after_s}] or linear: {from, to,
    duration_s, interval_s}, starts?, zone?}``; without ``starts`` it begins when it is agreed to.
    Percents rise, and each step is at least a minute after the one before.
    """
    given = _mapping(document)
    _known(given, {"target", "steps", "linear", "starts", "zone"})
    problems: Problems = {}
    wanted: dict[str, Any] = {"target": _target(given.get("target"), problems)}
    if given.get("starts"):
        wanted |= _times(given, problems)
    else:
        wanted |= {"starts": "", "zone": str(given.get("zone") or "UTC")}
        _check_zone(wanted["zone"], problems)
    if ("steps" in given) == ("linear" in given):
        problems["steps"] = _("Give either steps or linear.")
    elif "steps" in given:
        wanted["steps"] = _steps(given["steps"], problems)
    else:
        wanted["linear"] = _linear(given["linear"], problems)
    refuse(problems)
    if wanted["starts"] and not following(timetable_of(wanted), moment):
        raise Invalid({"starts": _("This time is in the past; choose a future one.")})
    _check_steps(wanted)
    return wanted


def threshold_of(value: object) -> int | None:
    """A percentage in whole thousandths; None for what is not a percentage, or finer than that."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        return None
    threshold = round(value * 1000)
    return threshold if threshold / 1000 == value else None


def _mapping(document: object) -> Document:
    if not isinstance(document, Mapping):
        raise Invalid({"": _("Send a JSON object.")})
    return document


def _known(given: Document, known: set[str], under: str = "") -> None:
    unknown = sorted(str(name) for name in set(given) - known)
    if unknown:
        raise Invalid({f"{under}{unknown[0]}": _("There is no such field here.")})


def _times(given: Document, problems: Problems) -> dict[str, Any]:
    starts, zone = given.get("starts"), given.get("zone")
    if not _is_local(starts):
        text = _("Give a day and a time like 2026-12-24T16:00, from {first} to {last}.")
        problems["starts"] = text.format(first=YEARS[0], last=YEARS[-1])
    _check_zone(zone, problems)
    return {"starts": starts, "zone": zone}


def _is_local(text: object) -> bool:
    try:
        return (
            isinstance(text, str)
            and bool(_LOCAL.match(text))
            and datetime.fromisoformat(text).year in YEARS
        )
    except ValueError:
        return False


def _check_zone(zone: object, problems: Problems) -> None:
    if not isinstance(zone, str) or zone not in zones():
        problems["zone"] = _("Choose a time zone by its IANA name, such as Europe/Berlin.")


def _rule(given: Document, problems: Problems) -> str:
    text = given.get("rrule") or ""
    if not isinstance(text, str):
        problems["rrule"] = _("Send a text.")
        return ""
    try:
        if text.strip():
            parse_rule(text.strip())
    except BadRule as error:
        problems["rrule"] = str(error)
    return text.strip()


def _read_rule_id(given: Document, wanted: dict[str, Any], problems: Problems) -> None:
    rule = given.get("rule")
    if not isinstance(rule, str) or not rule:
        problems["rule"] = _("Say which rule, by its id.")
    wanted["rule"] = rule


def _read_percent(given: Document, wanted: dict[str, Any], problems: Problems) -> None:
    wanted["percent"] = _percent(given.get("percent"), "percent", problems)


def _read_configuration(given: Document, wanted: dict[str, Any], problems: Problems) -> None:
    configuration = given.get("configuration")
    if not isinstance(configuration, Mapping):
        problems["configuration"] = _("Send a configuration as a JSON object.")
        return
    wanted["configuration"] = dict(configuration)


def _read_base(given: Document, wanted: dict[str, Any], problems: Problems) -> None:
    """What the configuration replaces, as a hash; who makes a plan leaves it out."""
    base = given.get("base") or ""
    if not isinstance(base, str) or not re.fullmatch(r"[0-9a-f]{64}|", base):
        problems["base"] = _("Leave this out.")
    wanted["base"] = base


_PARTS: dict[str, Callable[[Document, dict[str, Any], Problems], None]] = {
    "rule": _read_rule_id,
    "percent": _read_percent,
    "configuration": _read_configuration,
    "base": _read_base,
}


def _percent(value: object, path: str, problems: Problems) -> float:
    threshold = threshold_of(value)
    if threshold is None:
        problems[path] = _("Give a number from 0 to 100, in steps of 0.001.")
    return (threshold or 0) / 1000


def _seconds(value: Any, path: str, problems: Problems, *, least: int = 0) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not least <= value <= LONGEST_RAMP_S:
        text = _("Give whole seconds from {least} to {most}.")
        problems[path] = text.format(least=least, most=LONGEST_RAMP_S)
        return least
    return int(value)


def _target(value: object, problems: Problems) -> dict[str, str]:
    target = value if isinstance(value, Mapping) else {}
    _known(target, {"part", "rule"}, "target.")
    part, rule = target.get("part"), target.get("rule") or ""
    if part not in ("audience", "split"):
        problems["target.part"] = _("Choose audience or split.")
    if not isinstance(rule, str) or (part == "audience" and not rule):
        problems["target.rule"] = _("Say which rule, by its id.")
    return {"part": str(part), "rule": str(rule)}


def _steps(value: object, problems: Problems) -> list[dict[str, Any]]:
    rows = value if isinstance(value, list) else []
    if not 1 <= len(rows) <= MOST_STEPS:
        problems["steps"] = _("Give from one to {most} steps.").format(most=MOST_STEPS)
        return []
    found = []
    for index, row in enumerate(rows):
        path, row = f"steps[{index}]", row if isinstance(row, Mapping) else {}
        _known(row, {"percent", "after_s"}, f"{path}.")
        found.append(
            {
                "percent": _percent(row.get("percent"), f"{path}.percent", problems),
                "after_s": _seconds(row.get("after_s"), f"{path}.after_s", problems),
            }
        )
    return found


def _linear(value: object, problems: Problems) -> dict[str, Any]:
    given = value if isinstance(value, Mapping) else {}
    _known(given, set(_LINEAR), "linear.")
    found: dict[str, Any] = {
        end: _percent(given.get(end), f"linear.{end}", problems) for end in ("from", "to")
    }
    for name in ("duration_s", "interval_s"):
        path = f"linear.{name}"
        found[name] = _seconds(given.get(name), path, problems, least=SHORTEST_STEP_S)
    if found["to"] <= found["from"]:
        problems.setdefault("linear.to", _("A ramp only ever rises: give more than at its start."))
    if found["duration_s"] > found["interval_s"] * MOST_STEPS:
        text = _("That makes more than {most} steps; make them longer.").format(most=MOST_STEPS)
        problems.setdefault("linear.interval_s", text)
    return found


def _check_steps(wanted: Document) -> None:
    steps = steps_of(wanted)
    for index in range(1, len(steps)):
        one, other = steps[index - 1], steps[index]
        if other.share <= one.share:
            raise Invalid.of(
                f"steps[{index}].percent",
                _("A ramp only ever rises: give more than in the step before."),
            )
        if timedelta(seconds=other.after_s - one.after_s) < timedelta(seconds=SHORTEST_STEP_S):
            raise Invalid.of(
                f"steps[{index}].after_s", _("Leave at least a minute after the step before.")
            )
