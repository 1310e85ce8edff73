"""How checks and what they say read: limits, numbers, and what is wrong with them."""

import sys
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from releases.core import comparison_words, quantities
from releases.engine.checks import Check, Kind
from releases.engine.promql import WINDOW, uses
from releases.engine.verdicts import Verdict


def limit_words(check: Check) -> str:
    """What a good version does not exceed: “error rate at most 5 % over 5 min”."""
    if check.kind in comparison_words.KINDS:
        return comparison_words.limit_words(check)
    window = quantities.duration(check.window_s)
    if check.kind is Kind.ERROR_RATE:
        text = _("error rate at most {limit} % over {window}")
    elif check.kind is Kind.LATENCY:
        text = _("p{quantile} at most {limit} ms over {window}")
    elif check.kind is Kind.HTTP:
        text = _("fewer than {limit} failed probes in {window}")
    elif check.kind is Kind.PROMETHEUS:
        text = _("Prometheus says at most {limit} over {window}")
        text = text if uses(check.query, WINDOW) else _("Prometheus says at most {limit}")
    elif check.kind is Kind.ALERTS:
        text = _("fewer than {limit} alerts firing")
    else:
        text = _("a number of at most {limit}")
    quantile = f"{check.quantile * 100:g}"
    return text.format(limit=f"{check.threshold:g}", window=window, quantile=quantile)


def verdict_words(check: Check, state: Mapping[str, Any]) -> str:
    """What it says, and how much more it takes."""
    said = _verdict_words(check, state)
    return " ".join(filter(None, [said, comparison_words.wanting_words(state)]))


def _verdict_words(check: Check, state: Mapping[str, Any]) -> str:
    verdict, value = state.get("verdict"), state.get("value")
    if state.get("idle"):
        return _("Not compared at this step: nobody gets another version to compare with.")
    if verdict is None:
        return _("Not measured yet.")
    if check.kind in comparison_words.KINDS:
        return comparison_words.check_words(check, state)
    detail = str(state.get("detail") or "")
    if verdict == Verdict.NO_DATA:
        return " ".join(filter(None, [_("No data yet."), detail]))
    if verdict == Verdict.ERROR or value is None:
        return " ".join(filter(None, [_("It could not be measured."), detail]))
    said = value_words(check, value, state)
    if verdict == Verdict.INCONCLUSIVE and _is_between(state):
        return _("{said}: the limit lies in between. Give one that is a bound.").format(said=said)
    texts = {
        Verdict.PASSED: _("{said}: good."),
        Verdict.FAILED: _("{said}: too high."),
        Verdict.INCONCLUSIVE: _("{said}: too little to judge."),
    }
    return texts[Verdict(verdict)].format(said=said)


def number(value: float) -> str:
    if value >= sys.float_info.max:
        return "+Inf"
    return f"{value:,.0f}" if 1000 <= value < 1e9 else f"{value:.3g}"


def least_of(state: Mapping[str, Any]) -> float | None:
    """Where only an interval is known its lower end; its value is the upper one."""
    least = (state.get("numbers") or {}).get("least")
    return None if least is None else float(least)


def _is_between(state: Mapping[str, Any]) -> bool:
    return least_of(state) is not None and not state.get("wanting")


def value_words(check: Check, value: float, state: Mapping[str, Any]) -> str:
    if check.kind in comparison_words.KINDS:
        return comparison_words.value_words(check, state)
    requests, errors = int(state.get("requests") or 0), int(state.get("errors") or 0)
    if check.kind is Kind.ERROR_RATE:
        text = _("{value} % errors, {errors} of {requests}")
    elif check.kind is Kind.LATENCY:
        text = _latency_text(value, least_of(state))
    elif check.kind is Kind.HTTP:
        text = _("{errors} of {requests} probes failed")
    elif check.kind is Kind.ALERTS:
        text = "{detail}" if state.get("detail") else _("no alert firing")
    else:
        text = "{value} ({detail})" if state.get("detail") else "{value}"
    return text.format(
        value=number(value),
        detail=state.get("detail", ""),
        errors=errors,
        requests=requests,
        quantile=f"{check.quantile * 100:g}",
        least=number(least_of(state) or 0),
    )


def exporter_words(check: Check, state: Mapping[str, Any]) -> str:
    """How old what Prometheus knows may be, on top of how often it is asked."""
    every_s = state.get("every_s")
    if check.kind is not Kind.PROMETHEUS:
        return ""
    if not every_s:
        return _("Asked every {time}, on top of the exporter's interval, which is unknown.").format(
            time=quantities.duration(check.period_s)
        )
    text = _("Asked every {time}, on top of the exporter's interval of {every}.")
    return text.format(
        time=quantities.duration(check.period_s),
        every=quantities.duration(every_s) if every_s >= 120 else f"{every_s:g} s",
    )


def _latency_text(value: float, least: float | None) -> str:
    if least is None:
        return _("p{quantile} {value} ms of {requests} requests")
    if least == value:
        return _("p{quantile} above {value} ms of {requests} requests")
    return _("p{quantile} between {least} and {value} ms of {requests} requests")
