"""Checks: what is measured of a version. What a measurement means, releases.engine.verdicts says.

A check never passes for want of data. Every threshold is of one version alone, and is looked at as
soon as its minimum of requests and errors is there. Thresholds of this kind are *uncontrolled*:
they bound no rate of false alarms. Comparisons with the baseline do: releases.engine.comparisons.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

from portal.lib.documents import (
    DocumentError,
    Reader,
    checked,
    integer,
    list_of,
    mapped,
    name,
    one_of,
    read_boolean,
    read_number,
    read_object,
    record,
    refuse,
    text,
)
from releases.engine.alerts import read_matchers
from releases.engine.promql import Aggregate, problems_of, read_query, uses

MOST_CHECKS: Final = 30
HOUR_S: Final = 3600
ADDRESS: Final = "{{address}}"
"""In a check's url: the address of the place where what is checked runs."""


class Trouble(StrEnum):
    """What can be wrong with a release; its plan says what is done about each."""

    REGRESSION = "regression"
    NO_DATA = "no_data"
    ERROR = "error"
    DEADLINE = "deadline"
    SAMPLE_RATIO = "sample_ratio"
    BOTH_ARMS = "both_arms"
    DEPLOYMENT = "deployment"


class Role(StrEnum):
    """What a failing check may do: take the release back, hold it, or only be shown."""

    GUARDRAIL = "guardrail"
    SIGNAL = "signal"
    DRY_RUN = "dry_run"


class Kind(StrEnum):
    ERROR_RATE = "error_rate"
    LATENCY = "latency"
    HTTP = "http"
    WEBHOOK = "webhook"
    ERROR_COMPARISON = "error_comparison"
    LATENCY_COMPARISON = "latency_comparison"
    VALUE_COMPARISON = "value_comparison"
    NEW_ERROR_TYPES = "new_error_types"
    PROMETHEUS = "prometheus"
    ALERTS = "alerts"


TESTED: Final = (Kind.ERROR_COMPARISON, Kind.LATENCY_COMPARISON)
"""Kinds whose false alarms are bounded: they share the alpha of their release."""
COMPARING: Final = (*TESTED, Kind.VALUE_COMPARISON)
"""Kinds that need a second version beside the new one."""
ONE_NUMBER: Final = frozenset({Kind.WEBHOOK, Kind.PROMETHEUS, Kind.ALERTS})
"""What answers with a number of its own; it rests on no requests that we count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. ``threshold`` is a percentage, milliseconds, failed probes, alerts, or a plain
    number, which a good version does not exceed (failed probes, alerts, errors of a new type: does
    not reach).

    ``failures`` is how many failing measurements in a row make it fail. Probes and webhooks
    are asked at ``url`` every ``period_s``, from ``initial_delay_s`` after the step's start.
    ``counts_clients`` lets outcomes that anybody can send decide. A ``smoke`` check tries what is
    deployed before it gets any traffic, and does not count from then on; in its ``url``, as in that
    of any check, ``{{address}}`` is the address of the place where that is. Of a comparison,
    ``weight`` is its part of the release's alpha, ``slower_than_ms`` what counts as slow, and
    ``direction`` which difference in values is a bad one. ``query`` is what a Prometheus at ``url``
    is asked (releases.engine.promql), and ``aggregate`` makes several series one number.
    ``matchers`` are labels that alerts have, which began since the release did, or ``also_before``.
    """

    key: str
    kind: Kind
    threshold: float = 0
    role: Role = Role.GUARDRAIL
    window_s: int = 300
    quantile: float = 0.95
    minimum_requests: int = 100
    minimum_errors: int = 5
    failures: int = 1
    url: str = ""
    expected_status: tuple[int, ...] = (200,)
    period_s: int = 10
    timeout_s: int = 5
    initial_delay_s: int = 0
    counts_clients: bool = False
    weight: float = 1
    slower_than_ms: float = 0
    direction: str = "decrease"
    smoke: bool = False
    query: str = ""
    aggregate: Aggregate = Aggregate.MAX
    matchers: Mapping[str, str] = field(default_factory=dict)
    also_before: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """The check as JSON, with the fields that its kind has."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        known = ("key", "kind", *_REQUIRED[self.kind], *_OPTIONAL[self.kind])
        return {name: _plain(values[name]) for name in known}


def _plain(value: object) -> object:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def compares(check: Check) -> bool:
    """Whether it needs a second version beside the new one."""
    return check.kind in COMPARING or uses(check.query, "baseline")


def _above_zero(read: Reader[float]) -> Reader[float]:
    def read_positive(value: object) -> float:
        number = read(value)
        if number <= 0:
            refuse("Give a number above 0.")
        return number

    return read_positive


def _read_percent(value: object) -> float:
    number = read_number(value)
    if not 0 <= number <= 100:
        refuse("Give a percentage from 0 to 100.")
    return number


def _read_quantile(value: object) -> float:
    number = read_number(value)
    if not 0 < number < 1:
        refuse("Give a share between 0 and 1, such as 0.95.")
    return number


def _read_url(value: object) -> str:
    url = text(500, 1)(value)
    if not url.startswith(("http://", "https://", ADDRESS)):
        refuse("Give an address that begins with http://, https:// or {{address}}.")
    return url


def _read_server(value: object) -> str:
    url = _read_url(value)
    if "?" in url or "#" in url or url.startswith(ADDRESS):
        refuse("Give the address of the server alone, such as http://prometheus:9090.")
    return url.rstrip("/")


def _role(value: object) -> Role:
    return Role(one_of([role.value for role in Role], "role")(value))


def _role_without_return(value: object) -> Role:
    role = _role(value)
    if role is Role.GUARDRAIL:
        refuse("This kind can hold a release and never rolls it back: take signal or dry_run.")
    return role


_EVERY: Final[dict[str, Reader[Any]]] = {"role": _role, "failures": integer(1, 100)}
_TELEMETRY: Final[dict[str, Reader[Any]]] = {
    **_EVERY,
    "window_s": integer(10, HOUR_S),
    "minimum_requests": integer(1, 10_000_000),
    "counts_clients": read_boolean,
}
_ASKING: Final[dict[str, Reader[Any]]] = {
    **_EVERY,
    "smoke": read_boolean,
    "period_s": integer(1, HOUR_S),
    "timeout_s": integer(1, 5),
    "initial_delay_s": integer(0, HOUR_S),
}
_TESTED_FIELDS: Final[dict[str, Reader[Any]]] = {
    "role": _role,
    "minimum_requests": integer(1, 10_000_000),
    "minimum_errors": integer(1, 1_000_000),
    "counts_clients": read_boolean,
    "weight": _above_zero(read_number),
}
_REQUIRED: Final[dict[Kind, dict[str, Reader[Any]]]] = {
    Kind.ERROR_RATE: {"threshold": _read_percent},
    Kind.LATENCY: {"threshold": _above_zero(read_number)},
    Kind.HTTP: {"threshold": integer(1, 1000), "url": _read_url},
    Kind.WEBHOOK: {"threshold": read_number, "url": _read_url},
    Kind.ERROR_COMPARISON: {},
    Kind.LATENCY_COMPARISON: {"slower_than_ms": _above_zero(read_number)},
    Kind.VALUE_COMPARISON: {},
    Kind.NEW_ERROR_TYPES: {},
    Kind.PROMETHEUS: {"threshold": read_number, "url": _read_server, "query": read_query},
    Kind.ALERTS: {"matchers": read_matchers},
}
_OPTIONAL: Final[dict[Kind, dict[str, Reader[Any]]]] = {
    Kind.ERROR_RATE: {**_TELEMETRY, "minimum_errors": integer(1, 1_000_000)},
    Kind.LATENCY: {**_TELEMETRY, "quantile": _read_quantile},
    Kind.HTTP: {
        **_ASKING,
        "window_s": integer(1, HOUR_S),
        "expected_status": list_of(integer(100, 599), least=1, most=20),
    },
    Kind.WEBHOOK: _ASKING,
    Kind.ERROR_COMPARISON: _TESTED_FIELDS,
    Kind.LATENCY_COMPARISON: _TESTED_FIELDS,
    Kind.VALUE_COMPARISON: {
        "role": _role_without_return,
        "window_s": integer(10, HOUR_S),
        "counts_clients": read_boolean,
        "direction": one_of(["decrease", "increase", "either"], "direction"),
    },
    Kind.NEW_ERROR_TYPES: {
        "role": _role_without_return,
        "threshold": integer(1, 1_000_000),
        "minimum_requests": integer(1, 10_000_000),
        "counts_clients": read_boolean,
    },
    Kind.PROMETHEUS: {
        **{name: one for name, one in _ASKING.items() if name != "smoke"},
        "window_s": integer(10, HOUR_S),
        "aggregate": mapped(one_of([*Aggregate], "aggregate"), Aggregate),
    },
    Kind.ALERTS: {**_EVERY, "threshold": integer(1, 1000), "also_before": read_boolean},
}
# What a document leaves out, where that is not what other kinds have.
_USUAL: Final[dict[Kind, dict[str, object]]] = {
    Kind.VALUE_COMPARISON: {"role": Role.SIGNAL, "window_s": 60},
    Kind.NEW_ERROR_TYPES: {"role": Role.SIGNAL, "threshold": 5},
    Kind.ALERTS: {"threshold": 1},
}


def read_check(value: object) -> Check:
    """Reads a check from JSON. Raises DocumentError with every problem."""
    document = read_object(value)
    kinds = one_of([kind.value for kind in Kind], "kind of check")
    try:
        kind = Kind(kinds(document.get("kind")))
    except DocumentError as error:
        raise DocumentError(error.under("kind")) from None
    sent = {name: one for name, one in document.items() if name != "kind"}
    rest: Mapping[str, object] = {**_USUAL.get(kind, {}), **sent}
    required = {"key": name(40, 1), **_REQUIRED[kind]}
    read = record(lambda **found: Check(kind=kind, **found), required, _OPTIONAL[kind])
    return checked(read, lambda check: problems_of(check.query, check.window_s))(rest)


read_checks: Final[Reader[tuple[Check, ...]]] = list_of(read_check, most=MOST_CHECKS)
read_all_checks: Final[Reader[tuple[Check, ...]]] = list_of(read_check, most=sys.maxsize)
"""Those that a release has in all: of its plan, its service, and each policy as many."""
