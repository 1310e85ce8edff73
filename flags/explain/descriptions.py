import json
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext as _, gettext_lazy

from flags.core import descriptions
from flags.engine import CodeDefault, Reason, Result
from flags.engine.buckets import SCALE
from flags.engine.explaining import Bucket, Explanation, Step
from flags.engine.tracing import Trace

_REASONS: dict[Reason, str | Promise] = {
    Reason.STATIC: gettext_lazy("Everyone gets the same."),
    Reason.TARGETING_MATCH: gettext_lazy("A rule or an individual setting decided."),
    Reason.SPLIT: gettext_lazy("A share of users gets this; the user's bucket decided."),
    Reason.DEFAULT: gettext_lazy("No rule applied: they are among everyone else."),
    Reason.DISABLED: gettext_lazy("The flag counts as off."),
    Reason.ERROR: gettext_lazy("It cannot be evaluated."),
}
_MOST_CHARS = 120


@dataclass(frozen=True, slots=True)
class ConditionWords:
    words: str
    matched: bool
    saw: str = ""
    problem: str = ""
    parts: list["ConditionWords"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StepWords:
    title: str
    outcome: str
    reached: bool
    decides: bool
    line: ConditionWords | None
    overrides: list[ConditionWords]
    places: list[str]


@dataclass(frozen=True, slots=True)
class ExplanationWords:
    variant: str
    value: str
    reason: str
    why: str
    is_error: bool
    steps: list[StepWords]


def in_words(explanation: Explanation) -> ExplanationWords:
    result = explanation.result
    decisive = next((one for one in explanation.steps if one.result is result), None)
    numbers = iter(range(1, len(explanation.steps) + 1))
    return ExplanationWords(
        variant=result.variant or "",
        value="" if result.value is None else _shown(result.value),
        reason=result.reason.value,
        why=result.error_details or str(_REASONS[result.reason]),
        is_error=result.reason is Reason.ERROR,
        steps=[
            _step(one, next(numbers) if one.kind == "rule" else 0, one is decisive)
            for one in explanation.steps
        ],
    )


def _step(step: Step, number: int, decides: bool) -> StepWords:
    return StepWords(
        title=_title(step, number),
        outcome=_outcome(step) if step.reached else _("Not evaluated: decided earlier."),
        reached=step.reached,
        decides=decides,
        line=_line(step.condition) if step.condition else None,
        overrides=[_line(one) for one in step.overrides] if _is_in(step) else [],
        places=_places(step),
    )


def _title(step: Step, number: int) -> str:
    if step.rule is not None:
        title = _("Rule {number}").format(number=number)
        return f"{title}: {step.rule.name}" if step.rule.name else title
    return str(_TITLES[step.kind])


_TITLES = {
    "disabled": gettext_lazy("Off"),
    "prerequisite": gettext_lazy("Prerequisites"),
    "target": gettext_lazy("Individual users"),
    "fallthrough": gettext_lazy("Everyone else"),
}


def _outcome(step: Step) -> str:
    if step.result is not None:
        return _gives(step.result)
    if step.kind == "target":
        return _("Not listed.")
    if step.condition is not None and step.kind == "rule" and not step.condition.matched:
        return _("Does not match.")
    if step.kind == "prerequisite":
        return _("Holds.")
    if _is_kept_out(step.group):
        return _("Matches, but the exclusion group does not assign this user to the flag.")
    if _is_kept_out(step.audience):
        return _("Matches, but the user is not in the rollout.")
    return _("Matches, but serves nothing to this user.")


def _gives(result: Result) -> str:
    if result.reason is Reason.ERROR:
        return result.error_details or _("An error.")
    if result.variant is None:
        return descriptions.serve(CodeDefault())
    return _("Serves {variant}.").format(variant=descriptions.quoted(result.variant))


def _is_kept_out(bucket: Bucket | None) -> bool:
    return bucket is not None and bucket.chosen is None


def _is_in(step: Step) -> bool:
    return step.condition is None or step.condition.matched


def _line(trace: Trace) -> ConditionWords:
    parts = [_line(one) for one in trace.parts]
    words = _GROUPS.get(trace.kind) if parts else None
    return ConditionWords(
        words=str(words) if words else descriptions.condition(trace.condition),
        matched=trace.matched,
        saw=_saw(trace),
        problem=trace.problem,
        parts=parts,
    )


_GROUPS = {
    "all": gettext_lazy("all of these hold"),
    "any": gettext_lazy("one of these holds"),
    "not": gettext_lazy("this does not hold"),
}
_MEMBERSHIP = {
    "included": gettext_lazy("listed as always in"),
    "excluded": gettext_lazy("listed as never in"),
    "condition": gettext_lazy("by its conditions"),
}


def _saw(trace: Trace) -> str:
    if trace.kind in _GROUPS or trace.problem:
        return ""
    if trace.kind == "segment":
        return str(_MEMBERSHIP[str(trace.saw)])
    if trace.kind == "flag":
        return _served(trace.saw)
    if trace.kind == "attribute" and trace.saw is None:
        return _("it is not given")
    text = _("it is {value}") if trace.kind == "attribute" else _("it comes to {value}")
    return text.format(value=_shown(trace.saw))


def _served(variant: object) -> str:
    if variant is None:
        return _("it serves nothing here")
    return _("it serves {variant}").format(variant=descriptions.quoted(str(variant)))


def _places(step: Step) -> list[str]:
    if not step.reached or not _is_in(step):
        return []
    asked = [step.group]
    if not _is_kept_out(step.group):
        asked.append(step.audience)
        asked += [] if _is_kept_out(step.audience) else [step.split]
    return [_place(one) for one in asked if one is not None]


def _place(bucket: Bucket) -> str:
    names = _(" or ").join(bucket.by)
    if bucket.unit is None or bucket.point is None:
        return _("No bucket: {names} is not given.").format(names=names)
    text = _("{names} “{unit}” is in bucket {point}: {part}.")
    return text.format(
        names=names,
        unit=descriptions.shortened(bucket.unit),
        point=_position(bucket.point, bucket.total),
        part=_part(bucket),
    )


def _part(bucket: Bucket) -> str:
    for name, start, end in bucket.parts:
        if name == bucket.chosen and start <= (bucket.point or 0) < end:
            ends = {"start": _position(start, bucket.total), "end": _position(end, bucket.total)}
            where = _("{start} to {end}").format(**ends)
            if name == "audience":
                return _("in the rollout, {where}").format(where=where)
            return _("in {name}, {where}").format(name=descriptions.quoted(name), where=where)
    if [name for name, _start, _end in bucket.parts] == ["audience"]:
        most = _position(bucket.parts[0][2], bucket.total)
        return _("not in the rollout, which ends at {end}").format(end=most)
    return _("in no share")


def _position(point: int, total: int) -> str:
    if total == SCALE:
        return descriptions.percent(point / 1000)
    return _("{point} of {total}").format(point=point, total=total)


def _shown(value: object) -> str:
    return descriptions.shortened(json.dumps(value, ensure_ascii=False, default=str), _MOST_CHARS)
