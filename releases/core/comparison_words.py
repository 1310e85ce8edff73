"""What comparisons say, in words for people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext as _, gettext_lazy, ngettext

from releases.engine.checks import TESTED, Check, Kind
from releases.engine.verdicts import Verdict

State = Mapping[str, Any]
_LIMITS: Final = {
    Kind.ERROR_COMPARISON: gettext_lazy("error rate not above the baseline's"),
    Kind.LATENCY_COMPARISON: gettext_lazy("share slower than {ms} ms not above the baseline's"),
    Kind.NEW_ERROR_TYPES: gettext_lazy("fewer than {n} errors of a type that no other version has"),
}
_OF_VALUES: Final = {
    "decrease": gettext_lazy("values not below the baseline's, by {window} s"),
    "increase": gettext_lazy("values not above the baseline's, by {window} s"),
    "either": gettext_lazy("values like the baseline's, by {window} s"),
}
_MEANS: Final = {
    Verdict.PASSED: gettext_lazy("{said}: not worse as far as is known."),
    Verdict.FAILED: gettext_lazy("{said}: worse than the baseline."),
    Verdict.INCONCLUSIVE: gettext_lazy("{said}: too little to judge."),
}
KINDS: Final = (*TESTED, Kind.VALUE_COMPARISON, Kind.NEW_ERROR_TYPES)
"""Kinds whose words are here."""


def limit_words(check: Check) -> str:
    """What a good version does: “error rate not above the baseline's”."""
    text = _LIMITS.get(check.kind) or _OF_VALUES[check.direction]
    numbers = {"ms": f"{check.slower_than_ms:g}", "n": f"{check.threshold:g}"}
    return str(text).format(window=check.window_s, **numbers)


def check_words(check: Check, state: State) -> str:
    verdict = state.get("verdict")
    if verdict == Verdict.ERROR:
        return _("It could not be measured.")
    if verdict == Verdict.NO_DATA:
        return _no_data(check, state)
    said = value_words(check, state)
    if check.kind is Kind.NEW_ERROR_TYPES:
        return said
    words = str(_MEANS[Verdict(str(verdict))]).format(said=said)
    more = (state.get("numbers") or {}).get("more")
    if not more or verdict == Verdict.FAILED:
        return words
    return f"{words} {_to_find(check, more)}"


def _to_find(check: Check, more: int) -> str:
    text = (
        _("Twice as many errors would be found within about {n} more requests.")
        if check.kind is Kind.ERROR_COMPARISON
        else _("Twice as many slow requests would be found within about {n} more requests.")
    )
    return text.format(n=f"{more:,}")


def _no_data(check: Check, state: State) -> str:
    here = (state.get("numbers") or {}).get("here")
    if here and here[0] and not here[2]:
        return _("No requests of the baseline yet.")
    if here and here[2] and not here[0]:
        return _("No requests of the new version yet.")
    return _("No data yet.")


def value_words(check: Check, state: State) -> str:
    """The numbers: “new version +0.8 points (at least +0.3), 1,200 against 1,180 requests; evidence
    67 of 40 needed”."""
    words = {Kind.VALUE_COMPARISON: _values, Kind.NEW_ERROR_TYPES: _types}
    return words.get(check.kind, _difference)(state)


def _difference(state: State) -> str:
    numbers = state.get("numbers") or {}
    if not state.get("requests") or "estimate" not in numbers:
        return _("nothing compared yet")
    text = _(
        "new version {estimate} points (at least {lower}), {canary} against {baseline} requests; "
        "evidence {evidence} of {needed} needed"
    )
    return text.format(
        estimate=points(numbers["estimate"]),
        lower=points(numbers["lower"]),
        canary=f"{state['requests']:,}",
        baseline=f"{numbers['baseline'][0]:,}",
        evidence=_evidence(numbers["evidence"]),
        needed=f"{numbers['needed']:.3g}",
    )


def points(share: float) -> str:
    """A difference of shares, in percentage points: “+0.8”."""
    return f"{100 * share:+.2g}" if abs(share) < 0.1 else f"{100 * share:+.0f}"


def _evidence(value: float) -> str:
    if value >= 1e6:
        return _("over 1,000,000")
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _values(state: State) -> str:
    numbers = state.get("numbers") or {}
    canary, baseline = numbers.get("windows") or (0, 0)
    if numbers.get("estimate") is None:
        return _("{canary} against {baseline} windows with values").format(
            canary=canary, baseline=baseline
        )
    text = _("values {effect} ({lower} to {upper}) in {canary} against {baseline} windows")
    ends = {name: f"{numbers[key]:+.3g}" for name, key in _ENDS.items()}
    return text.format(canary=canary, baseline=baseline, **ends)


_ENDS: Final = {"effect": "estimate", "lower": "lower", "upper": "upper"}


def _types(state: State) -> str:
    types = (state.get("numbers") or {}).get("types") or {}
    if not types:
        text = _("No new types of errors in {n} requests.")
        return text.format(n=f"{state.get('requests') or 0:,}")
    listed = ", ".join(f"{kind} ({count:,})" for kind, count in sorted(types.items()))
    return _("Only the new version has errors of these types: {types}.").format(types=listed)


def wanting_words(state: State) -> str:
    """How many requests more it takes and when they are there: “Needs 40 more requests, about 14:05
    UTC.” Empty where it takes none."""
    wanting, expected = int(state.get("wanting") or 0), state.get("expected_at")
    if not wanting:
        return ""
    needs = ngettext("Needs {n} more request", "Needs {n} more requests", wanting)
    said = needs.format(n=f"{wanting:,}")
    if state.get("too_slow"):
        return _("{needs}; at the present rate they never come within its window.").format(
            needs=said
        )
    if not expected:
        return f"{said}."
    at = f"{datetime.fromisoformat(expected):%H:%M}"
    return _("{needs}, about {at} UTC.").format(needs=said, at=at)
