"""Flags in words: conditions, what is served to whom, and what a configuration does.

Sentences for product managers and auditors, made from checked documents.
"""

import json
from collections.abc import Iterable

from django.utils.translation import gettext as _, gettext_lazy

from flags.engine import (
    AllOf,
    AnyOf,
    AttributeTest,
    Audience,
    ByLogic,
    CodeDefault,
    Condition,
    Configuration,
    Fixed,
    FlagTest,
    LogicTest,
    Not,
    Override,
    Rule,
    SegmentTest,
    Serve,
    Share,
    Slot,
    Split,
)
from flags.engine.document import DEFAULT_ALGORITHM, TARGETING_KEY

OPERATOR_WORDS = {
    "in": gettext_lazy("is one of"),
    "not_in": gettext_lazy("is none of"),
    "equals": gettext_lazy("is"),
    "not_equals": gettext_lazy("is not"),
    "contains": gettext_lazy("contains"),
    "not_contains": gettext_lazy("does not contain"),
    "starts_with": gettext_lazy("starts with"),
    "ends_with": gettext_lazy("ends with"),
    "matches": gettext_lazy("matches"),
    "gt": gettext_lazy("is more than"),
    "gte": gettext_lazy("is at least"),
    "lt": gettext_lazy("is less than"),
    "lte": gettext_lazy("is at most"),
    "num_eq": gettext_lazy("is, read as a number,"),
    "num_gt": gettext_lazy("is, read as a number, more than"),
    "num_gte": gettext_lazy("is, read as a number, at least"),
    "num_lt": gettext_lazy("is, read as a number, less than"),
    "num_lte": gettext_lazy("is, read as a number, at most"),
    "before": gettext_lazy("is before"),
    "after": gettext_lazy("is after"),
    "semver_eq": gettext_lazy("is version"),
    "semver_gt": gettext_lazy("is newer than"),
    "semver_gte": gettext_lazy("is at least version"),
    "semver_lt": gettext_lazy("is older than"),
    "semver_lte": gettext_lazy("is at most version"),
    "in_cidr": gettext_lazy("is in network"),
    "modulo": gettext_lazy("divided by"),
    "array_contains_any": gettext_lazy("has any of"),
    "array_contains_all": gettext_lazy("has all of"),
    "exists": gettext_lazy("is given"),
    "not_exists": gettext_lazy("is not given"),
    "is_true": gettext_lazy("is true"),
    "is_false": gettext_lazy("is false"),
}
_TIME_HINT = gettext_lazy("2026-11-23T06:30:00Z")
_VERSION_HINT = gettext_lazy("version: 1.2.0")
VALUE_HINTS = {
    "": gettext_lazy("values, separated by commas"),
    "matches": gettext_lazy("pattern: ^beta-"),
    "before": _TIME_HINT,
    "after": _TIME_HINT,
    "semver_eq": _VERSION_HINT,
    "semver_gt": _VERSION_HINT,
    "semver_gte": _VERSION_HINT,
    "semver_lt": _VERSION_HINT,
    "semver_lte": _VERSION_HINT,
    "in_cidr": gettext_lazy("such as 10.0.0.0/8"),
    "modulo": gettext_lazy("divisor, remainder"),
}
"""What to write for an operator's values; the empty name is that of all others."""


def percent(value: float) -> str:
    """Percent with at most three decimals and no needless zeros: 25 %, 0.125 %."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + " %"


def condition(when: Condition) -> str:
    """A condition as a clause: “country is one of DE, AT and email ends with @shop.example”."""
    if isinstance(when, AttributeTest):
        return _test(when)
    if isinstance(when, SegmentTest):
        return _("in segment {segment}").format(segment=quoted(when.segment))
    if isinstance(when, LogicTest):
        return _("JsonLogic {logic} holds").format(logic=_short(when.logic.value))
    if isinstance(when, FlagTest):
        return flag_test(when.flag, when.variants)
    if isinstance(when, Not):
        return _("not ({condition})").format(condition=condition(when.condition))
    if not when.conditions:
        return _("everyone") if isinstance(when, AllOf) else _("nobody")
    joint = _(" and ") if isinstance(when, AllOf) else _(" or ")
    parts = [
        _grouped(part) if len(when.conditions) > 1 else condition(part) for part in when.conditions
    ]
    return joint.join(parts)


def flag_test(flag: str, variants: Iterable[str]) -> str:
    return _("flag {flag} serves {variants}").format(
        flag=quoted(flag), variants=_(" or ").join(map(quoted, variants))
    )


def serve(what: Serve) -> str:
    if isinstance(what, Fixed):
        return quoted(what.variant)
    if isinstance(what, ByLogic):
        return _("what JsonLogic {logic} names").format(logic=_short(what.logic.value))
    if isinstance(what, CodeDefault):
        return _("the default in the code of the application")
    dealt = _("{shares} of {units}").format(
        shares=", ".join(
            _("{variant} to {percent}").format(
                variant=quoted(share.variant), percent=percent(share_percent)
            )
            for share, share_percent in shares(what)
        ),
        units=_told_apart_by(what),
    )
    first = "".join(map(_override, what.overrides[:_MOST_OVERRIDES]))
    more = len(what.overrides) - _MOST_OVERRIDES
    if more > 0:
        first += _("{count} more exceptions; else ").format(count=more)
    return first + dealt


_MOST_OVERRIDES = 3


def _override(one: Override) -> str:
    return _("{variant} where {where}; else ").format(
        variant=quoted(one.variant), where=condition(one.when)
    )


def _told_apart_by(one: Split | Audience) -> str:
    """Whose shares they are: users, else values of sessionId (buckets as in Unleash)."""
    units = _by(one.bucket_by)
    for attribute in one.else_by:
        units = _("{units}, else {others}").format(units=units, others=_by(attribute))
    if one.algorithm == DEFAULT_ALGORITHM:
        return units
    return _("{units} (buckets as in {product})").format(
        units=units, product=product(one.algorithm)
    )


def product(algorithm: str) -> str:
    return _PRODUCTS.get(algorithm, algorithm)


_PRODUCTS = {"unleash": "Unleash", "flagsmith": "Flagsmith", "growthbook": "GrowthBook"}


def quoted(variant: str) -> str:
    return f"“{variant}”"


def shortened(text: str, most: int = 80) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _short(logic: object) -> str:
    return shortened(json.dumps(logic, ensure_ascii=False))


def shares(split: Split) -> list[tuple[Share, float]]:
    total = sum(share.weight for share in split.shares)
    return [(share, share.weight * 100 / total) for share in split.shares]


def rule(one: Rule) -> str:
    who = _told_apart_by(one.audience) if one.audience else _by(TARGETING_KEY)
    if one.audience:
        who = _("{percent} of {units}").format(percent=percent(one.audience.percent), units=who)
        if one.audience.group:
            group = quoted(one.audience.group)
            who = _("{who} that group {group} assigns to this flag").format(who=who, group=group)
    else:
        who = _("all {units}").format(units=who)
    where = condition(one.when)
    if isinstance(one.when, AllOf) and not one.when.conditions:
        return _("{who} get {what}").format(who=who, what=serve(one.serve))
    return _("{who} where {where} get {what}").format(who=who, where=where, what=serve(one.serve))


def summary(configuration: Configuration) -> str:
    if not configuration.introduced:
        return _("applications get “flag not found”")
    if not configuration.enabled:
        return _("everyone gets {variant}").format(variant=quoted(configuration.off_variant))
    rest = serve(configuration.fallthrough)
    count = len(configuration.rules) + len(configuration.targets)
    if not count:
        return _("everyone gets {variant}").format(variant=rest)
    if count == 1:
        return _("1 rule, else {variant}").format(variant=rest)
    return _("{count} rules, else {variant}").format(count=count, variant=rest)


def _test(test: AttributeTest) -> str:
    words = OPERATOR_WORDS.get(test.operator, test.operator)
    between = _(" leaves ") if test.operator == "modulo" else ", "
    values = between.join(plain_value(value) for value in test.values[:8])
    if len(test.values) > 8:
        values += _(" and {count} more").format(count=len(test.values) - 8)
    case = _("(ignoring case)") if test.ignore_case else ""
    return " ".join(filter(None, [test.attribute, str(words), values, case]))


def _grouped(part: Condition) -> str:
    text = condition(part)
    return f"({text})" if isinstance(part, AllOf | AnyOf) and len(part.conditions) > 1 else text


def _by(attribute: str) -> str:
    return (
        _("users") if attribute == TARGETING_KEY else _("values of {name}").format(name=attribute)
    )


def plain_value(value: object) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or _("nothing")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) or _("nothing")


def length(points: int) -> str:
    """A length on the line: 12.5 %."""
    return percent(points / 1000)


def span(slot: Slot) -> str:
    """Where a slot lies: from 0 % to 25 %."""
    return _("from {start} to {end}").format(start=length(slot.start), end=length(slot.end))
