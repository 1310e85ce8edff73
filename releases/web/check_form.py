import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_lazy

from portal.lib import strict_json
from portal.lib.web.pages import Fields, texts
from releases.engine.checks import Kind
from releases.web.labels import ROLES

FIELDS: Final[Fields] = texts(
    "key",
    "kind",
    "threshold",
    "role",
    "window_s",
    "url",
    "query",
    "matchers",
    "minimum_requests",
    "smoke",
    "rest",
)
# Whose problems stand beside them in the form; those of the others are listed above it.
BESIDE: Final = (
    "key",
    "threshold",
    "slower_than_ms",
    "window_s",
    "url",
    "query",
    "matchers",
    "minimum_requests",
)
KINDS: Final = {
    Kind.ERROR_RATE: gettext_lazy("Error rate, at most (%)"),
    Kind.LATENCY: gettext_lazy("Response p95, at most (ms)"),
    Kind.HTTP: gettext_lazy("Health probe, failures below"),
    Kind.WEBHOOK: gettext_lazy("Number from a webhook, at most"),
    Kind.ERROR_COMPARISON: gettext_lazy("Error rate against the baseline"),
    Kind.LATENCY_COMPARISON: gettext_lazy("Slower than (ms), against the baseline"),
    Kind.VALUE_COMPARISON: gettext_lazy("Values against the baseline, lower is worse"),
    Kind.NEW_ERROR_TYPES: gettext_lazy("Errors of a type only it has, fewer than"),
    Kind.PROMETHEUS: gettext_lazy("Number from Prometheus, at most"),
    Kind.ALERTS: gettext_lazy("Alerts firing, fewer than"),
}
_TELEMETRY = ("window_s", "minimum_requests")
_OF_KIND: Final = {
    Kind.ERROR_RATE: _TELEMETRY,
    Kind.LATENCY: _TELEMETRY,
    Kind.HTTP: ("window_s", "url"),
    Kind.WEBHOOK: ("url",),
    Kind.ERROR_COMPARISON: ("minimum_requests",),
    Kind.LATENCY_COMPARISON: ("minimum_requests",),
    Kind.VALUE_COMPARISON: ("window_s",),
    Kind.NEW_ERROR_TYPES: ("minimum_requests",),
    Kind.PROMETHEUS: ("window_s", "url", "query"),
    Kind.ALERTS: ("matchers",),
}
# What the number beside the kind is called in its document, where that is not its threshold.
_THRESHOLDS: Final = {
    Kind.ERROR_COMPARISON: "",
    Kind.LATENCY_COMPARISON: "slower_than_ms",
    Kind.VALUE_COMPARISON: "",
}
_USUAL = {"kind": "error_rate", "threshold": "5", "role": "guardrail", "window_s": "5"}
Row = Mapping[str, str]


def number_in(text: str) -> float | int | str:
    """The number that a text is; otherwise the text itself, for its reader to refuse."""
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def seconds_in(minutes: str) -> float | int | str:
    """Whole seconds out of minutes; otherwise the text itself."""
    number = number_in(minutes)
    return round(number * 60) if isinstance(number, float | int) and number < 1e7 else minutes


def minutes_of(stored: Mapping[str, Any], name: str) -> dict[str, str]:
    """A field of seconds as people fill it in; nothing where there is none."""
    return {name: minutes(stored[name])} if name in stored else {}


def seconds_of(form: Mapping[str, Any], name: str) -> dict[str, Any]:
    text = str(form.get(name) or "").strip()
    return {name: seconds_in(text)} if text else {}


def minutes(seconds: int) -> str:
    return f"{seconds / 60:g}"


def matchers_in(text: str) -> dict[str, str] | str:
    """The labels of ``service=checkout, severity=critical``; otherwise the text itself."""
    parts = [part.partition("=") for part in text.split(",")]
    if not all(equals for _label, equals, _value in parts):
        return text
    return {label.strip(): value.strip().strip('"') for label, _equals, value in parts}


_READ: Final[dict[str, Callable[[str], object]]] = {
    "window_s": seconds_in,
    "minimum_requests": number_in,
    "matchers": matchers_in,
}


def row_of(document: Mapping[str, Any]) -> dict[str, str]:
    names = ("key", "kind", "threshold", "role", "url", "query")
    shown = {name: document.get(name) for name in names}
    shown["threshold"] = document.get(_threshold_in(str(document.get("kind"))))
    row = {name: f"{value:g}" if isinstance(value, float | int) else str(value or "")
           for name, value in shown.items()}  # fmt: skip
    if "window_s" in document:
        row["window_s"] = minutes(document["window_s"])
    row["matchers"] = ", ".join(f"{a}={b}" for a, b in document.get("matchers", {}).items())
    row["minimum_requests"] = str(document.get("minimum_requests", ""))
    row["smoke"] = "1" if document.get("smoke") else ""
    return {**row, "rest": json.dumps(document)}


def _new_row(rows: Sequence[Row]) -> dict[str, str]:
    return {**_USUAL, "key": f"check-{len(rows) + 1}"}


def _threshold_in(kind: str) -> str:
    """The field that the row's number is in; empty where such a check has none."""
    return _THRESHOLDS.get(Kind(kind), "threshold") if kind in set(Kind) else "threshold"


def document_of(row: Row) -> dict[str, Any]:
    kind = row.get("kind", "")
    document = {**_rest(row), "key": row.get("key", "").strip(), "kind": kind}
    if threshold := _threshold_in(kind):
        document[threshold] = number_in(row.get("threshold", ""))
    if row.get("role"):
        document["role"] = row["role"]
    if kind in (Kind.HTTP, Kind.WEBHOOK):
        document["smoke"] = row.get("smoke") == "1"
    for name in _OF_KIND.get(Kind(kind), ()) if kind in set(Kind) else ():
        text = row.get(name, "").strip()
        read = _READ.get(name, str)
        if text:
            document[name] = read(text)
        else:
            document.pop(name, None)
    return document


def _rest(row: Row) -> dict[str, Any]:
    """What a check has beyond the form's fields, as long as it is of the same kind."""
    try:
        rest = strict_json.loads_text(row.get("rest") or "{}")
    except strict_json.NotStrict:
        return {}
    return rest if isinstance(rest, dict) and rest.get("kind") == row.get("kind") else {}


@dataclass(frozen=True, slots=True)
class CheckInput:
    path: str
    values: Row
    errors: Mapping[str, str]


def inputs_of(rows: Sequence[Row], path: str, errors: Mapping[str, str]) -> list[CheckInput]:
    """The rows for the template. A problem of the whole check stands beside its key."""
    found = []
    for place, row in enumerate(rows):
        here = f"{path}[{place}]"
        own = {name: errors[f"{here}.{name}"] for name in BESIDE if f"{here}.{name}" in errors}
        threshold = f"{here}.{_threshold_in(row.get('kind', '')) or 'threshold'}"
        own |= {"threshold": errors[threshold]} if threshold in errors else {}
        found.append(CheckInput(here, row, own))
    return found


def rearranged(rows: list[dict[str, str]], do: str) -> list[dict[str, str]]:
    """The rows after a button of the form: one more, or one less."""
    what, _colon, place = do.partition(":")
    if what == "add-check":
        return [*rows, _new_row(rows)]
    if what == "remove-check" and place.isdigit():
        return [row for number, row in enumerate(rows) if number != int(place)]
    return rows


CHOICES: Final = {
    "check_kinds": [(kind.value, label) for kind, label in KINDS.items()],
    "check_roles": [(role.value, label) for role, label in ROLES.items()],
}
