from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from flags.channel.telemetry import (
    AHEAD_BY_S,
    FLAG,
    LATE_BY_S,
    MAX_ERROR_TYPE_CHARS,
    MAX_NAME_CHARS,
    MAX_VALUE,
    MAX_VERSION_CHARS,
    SERVICE,
    SYNTHETIC,
)
from flags.engine.sketch import bucket_of

Entry = Mapping[str, Any]

MOST_COUNT: Final = 1_000_000_000
MOST_DURATIONS: Final = 10_000
MOST_DURATION_MS: Final = 1e9
_ABOUT: Final = ("service", "version", "synthetic", "flag", "variant", "context", "at")
_NUMBERS: Final = ("count", "errors", "error", "error_type", "duration_ms", "durations_ms", "value")
FIELDS: Final = frozenset(_ABOUT + _NUMBERS)

NO_OBJECT: Final = "an outcome is a JSON object"
NOTHING: Final = "name a service with its version, or a flag with a variant or a context"
BOTH: Final = "name a service or a flag, not both"
OF_SERVICE: Final = "an outcome of a service has a version, and neither variant nor context"
NO_SYNTHETIC: Final = "synthetic must be true or false, of an outcome of a service"
OF_FLAG: Final = "an outcome of a flag has a variant or a context, not both, and no version"
NO_CONTEXT: Final = "the context must be an object, its targetingKey a string"
NO_INSTANT: Final = "at must be Unix seconds, or a date and time with its zone, as in RFC 3339"
TOO_OLD: Final = f"at is more than {LATE_BY_S // 60} minutes ago"
TOO_NEW: Final = f"at is more than {AHEAD_BY_S} seconds ahead of the evaluator's clock"
NO_COUNT: Final = f"count must be a whole number from 1 to {MOST_COUNT}"
NO_ERRORS: Final = "errors must be a whole number from 0 to the count"
NO_ERROR: Final = "error must be true or false, and stands in place of errors"
NO_TYPE: Final = f"error_type must be a text of 1 to {MAX_ERROR_TYPE_CHARS} characters"
TYPE_ALONE: Final = "error_type says what the errors were, and there are none"
NO_DURATION: Final = f"durations must be milliseconds from 0 to {MOST_DURATION_MS:.0f}"
DURATIONS: Final = f"durations_ms must be a list of 1 to {MOST_DURATIONS} durations"
TWO_DURATIONS: Final = "send duration_ms or durations_ms, not both"
MORE_DURATIONS: Final = "there are more durations than outcomes: leave out the count"
NO_VALUE: Final = f"value must be a number from -{MAX_VALUE:.0f} to {MAX_VALUE:.0f}"


class Rejected(Exception):
    """One outcome is not counted; the message says why."""


def check_fields(entry: object) -> Entry:
    if type(entry) is not dict:
        raise Rejected(NO_OBJECT)
    if not entry.keys() <= FIELDS:
        name = min(entry.keys() - FIELDS)
        raise Rejected(f"an outcome has no field {name[:100]!r}")
    return entry


def about_of(entry: Entry) -> tuple[str, str, str, Mapping[str, object] | None]:
    service, flag = entry.get("service"), entry.get("flag")
    if service is None:
        return _flag_of(entry, flag)
    if flag is not None:
        raise Rejected(BOTH)
    if "variant" in entry or "context" in entry or "version" not in entry:
        raise Rejected(OF_SERVICE)
    version = _text(entry["version"], MAX_VERSION_CHARS, "version")
    synthetic = entry.get("synthetic", False)
    if type(synthetic) is not bool:
        raise Rejected(NO_SYNTHETIC)
    about = SYNTHETIC if synthetic else SERVICE
    return about, _text(service, MAX_NAME_CHARS, "service"), version, None


def _flag_of(entry: Entry, flag: object) -> tuple[str, str, str, Mapping[str, object] | None]:
    if flag is None:
        raise Rejected(NOTHING)
    if "version" in entry or ("variant" in entry) == ("context" in entry):
        raise Rejected(OF_FLAG)
    if "synthetic" in entry:
        raise Rejected(NO_SYNTHETIC)
    key = _text(flag, MAX_NAME_CHARS, "flag")
    if "variant" in entry:
        return FLAG, key, _text(entry["variant"], MAX_VERSION_CHARS, "variant"), None
    context = entry["context"]
    if type(context) is not dict or type(context.get("targetingKey", "")) is not str:
        raise Rejected(NO_CONTEXT)
    return FLAG, key, "", context


def _text(value: object, most: int, name: str) -> str:
    if type(value) is not str or not 0 < len(value) <= most or not value.isprintable():
        raise Rejected(f"{name} must be a text of 1 to {most} printable characters")
    return value


def instant_of(entry: Entry, now: float) -> float:
    told = entry.get("at")
    if told is None:
        return now
    at = told if type(told) in (float, int) else _read_instant(told)
    if at < now - LATE_BY_S:
        raise Rejected(TOO_OLD)
    if at > now + AHEAD_BY_S:
        raise Rejected(TOO_NEW)
    return float(at)


def _read_instant(told: object) -> float:
    if type(told) is not str:
        raise Rejected(NO_INSTANT)
    try:
        at = datetime.fromisoformat(told)
        if at.tzinfo is None:
            raise Rejected(NO_INSTANT)
        return at.timestamp()
    except (ValueError, OverflowError):
        raise Rejected(NO_INSTANT) from None


def durations_of(entry: Entry) -> list[int] | None:
    one, many = entry.get("duration_ms"), entry.get("durations_ms")
    if many is None:
        return None if one is None else [_bucket(one)]
    if one is not None:
        raise Rejected(TWO_DURATIONS)
    if type(many) is not list or not 1 <= len(many) <= MOST_DURATIONS:
        raise Rejected(DURATIONS)
    return [_bucket(duration) for duration in many]


def _bucket(duration: object) -> int:
    if type(duration) not in (float, int) or not 0 <= duration <= MOST_DURATION_MS:  # type: ignore[operator]
        raise Rejected(NO_DURATION)
    return bucket_of(duration)  # type: ignore[arg-type]


def count_of(entry: Entry, durations: list[int] | None) -> int:
    count = entry.get("count")
    if count is None:
        return len(durations) if durations else 1
    if type(count) is not int or not 1 <= count <= MOST_COUNT:
        raise Rejected(NO_COUNT)
    if durations and len(durations) > count:
        raise Rejected(MORE_DURATIONS)
    return count


def errors_of(entry: Entry, count: int) -> tuple[int, str]:
    errors, error, kind = entry.get("errors"), entry.get("error"), entry.get("error_type")
    if error is not None:
        if type(error) is not bool or errors is not None:
            raise Rejected(NO_ERROR)
        errors = count if error else 0
    elif errors is None:
        errors = 0
    elif type(errors) is not int or not 0 <= errors <= count:
        raise Rejected(NO_ERRORS)
    if kind is None:
        return errors, ""
    if type(kind) is not str or not 0 < len(kind) <= MAX_ERROR_TYPE_CHARS or not kind.isprintable():
        raise Rejected(NO_TYPE)
    if not errors:
        raise Rejected(TYPE_ALONE)
    return errors, kind


def value_of(entry: Entry) -> float | None:
    value = entry.get("value")
    if value is None:
        return None
    if type(value) not in (float, int) or not -MAX_VALUE <= value <= MAX_VALUE:
        raise Rejected(NO_VALUE)
    return float(value)
