"""The step of tagged (synthetic) requests in the form of a plan: it is no row of the steps there,
but stands before them, and after what is deployed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from portal.lib.web.pages import Fields, texts
from releases.engine.plans import Plan, Strategy
from releases.engine.steps import Work
from releases.web.check_form import minutes, number_in, seconds_in

Form = Mapping[str, Any]
FIELDS: Final[Fields] = texts("tagged", "tagged_s", "tagged_requests")
NEW: Final = {"tagged": "", "tagged_s": "10", "tagged_requests": ""}
BESIDE: Final = ("tagged.soak_s", "tagged.minimum_requests")
_OF_STEP: Final = re.compile(r"(plan\.)?steps\[(\d+)\](.*)")


def with_plan(plan: Plan) -> dict[str, str]:
    found = next((step for step in plan.steps if step.work is Work.SYNTHETIC), None)
    if found is None:
        return dict(NEW)
    least = str(found.minimum_requests or "")
    return {"tagged": "1", "tagged_s": minutes(found.soak_s), "tagged_requests": least}


def with_tagged(form: Form, steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps of the plan, with that of tagged requests where the form wants it."""
    if form.get("tagged") != "1":
        return [*steps]
    step: dict[str, Any] = {"work": Work.SYNTHETIC.value}
    if soak := form.get("tagged_s", "").strip():
        step["soak_s"] = seconds_in(soak)
    if least := form.get("tagged_requests", "").strip():
        step["minimum_requests"] = number_in(least)
    at = _place(form)
    return [*steps[:at], step, *steps[at:]]


def by_row(form: Form, errors: Mapping[str, str]) -> dict[str, str]:
    """The problems of a plan, each of its steps called by its row in the form."""
    if form.get("tagged") != "1":
        return dict(errors)
    return {_by_row(path, _place(form)): text for path, text in errors.items()}


def _by_row(path: str, at: int) -> str:
    found = _OF_STEP.fullmatch(path)
    if found is None or int(found[2]) < at:
        return path
    plan, number, rest = found[1] or "", int(found[2]), found[3]
    return f"{plan}tagged{rest}" if number == at else f"{plan}steps[{number - 1}]{rest}"


def _place(form: Form) -> int:
    return 1 if form.get("strategy") == Strategy.BLUE_GREEN else 0
