"""The body of Alertmanager's webhook, version 4. Fields that we do not know are left alone."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from portal.lib.documents import (
    DocumentError,
    Problem,
    Reader,
    list_of,
    name,
    one_of,
    read_object,
    record,
    refuse,
    text,
)
from releases.alerts.services import ToldAlert

MOST_ALERTS: Final = 2000
MOST_LABELS: Final = 64
_AHEAD: Final = timedelta(hours=1)
_LONGEST_NOTE: Final = 500
_KNOWN: Final = ("status", "labels", "annotations", "startsAt", "endsAt", "fingerprint")


def read_webhook(body: object, at: datetime) -> list[ToldAlert]:
    """The alerts in it. Raises DocumentError with every problem."""
    document = read_object(body)
    if str(document.get("version")) != "4":
        refuse("Send the webhook of Alertmanager in its version 4.")
    try:
        found = _read_alerts(document.get("alerts"))
    except DocumentError as error:
        raise DocumentError(error.under("alerts")) from None
    for number, one in enumerate(found):
        if one.starts_at > at + _AHEAD:
            message = "It lies in the future: set the clock of Alertmanager's host."
            raise DocumentError([Problem(f"alerts[{number}].startsAt", message)])
    return list(found)


def truncated_in(body: object) -> int:
    """How many alerts Alertmanager has left out of its body (its setting max_alerts)."""
    told = read_object(body).get("truncatedAlerts")
    return told if type(told) is int and told > 0 else 0


def _alert(
    *,
    status: str,
    startsAt: datetime,  # noqa: N803 - so Alertmanager calls them
    fingerprint: str,
    labels: dict[str, str],
    endsAt: datetime | None = None,  # noqa: N803
    annotations: dict[str, str] | None = None,
) -> ToldAlert:
    ends_at = max(startsAt, endsAt or startsAt) if status == "resolved" else None
    return ToldAlert(fingerprint, labels, annotations or {}, startsAt, ends_at)


def _read_moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(text(64, 1)(value))
    except ValueError:
        refuse("Give a time such as 2026-01-31T12:00:00Z.")
    if moment.tzinfo is None:
        refuse("Give the time with its zone, such as 2026-01-31T12:00:00Z.")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        refuse("Give a time from the years 1 to 9999.")


def _read_labels(value: object) -> dict[str, str]:
    labels = read_object(value)
    if len(labels) > MOST_LABELS:
        refuse(f"There are more than {MOST_LABELS} labels.")
    return record(dict, {}, {key: text(1000) for key in map(name(200, 1), labels)})(labels)


def _read_notes(value: object) -> dict[str, str]:
    """The texts for people: only the first of them, and not all of a long one."""
    notes = [(str(key)[:200], one) for key, one in read_object(value).items()]
    return {
        text(200)(key): text(1_000_000)(one)[:_LONGEST_NOTE]
        for key, one in notes[:MOST_LABELS]
        if isinstance(one, str)
    }


_read: Final[Reader[ToldAlert]] = record(
    _alert,
    {
        "status": one_of(["firing", "resolved"], "status"),
        "startsAt": _read_moment,
        "fingerprint": name(64, 1),
        "labels": _read_labels,
    },
    {"endsAt": _read_moment, "annotations": _read_notes},
)


def _read_known(value: object) -> ToldAlert:
    alert: Mapping[str, Any] = read_object(value)
    return _read({key: one for key, one in alert.items() if key in _KNOWN})


_read_alerts: Final[Reader[tuple[ToldAlert, ...]]] = list_of(_read_known, most=MOST_ALERTS)
