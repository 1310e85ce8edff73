import re
from dataclasses import dataclass, field

from django.http import QueryDict
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext_lazy as _

from portal.approvals.freezes.models import FreezeWindow
from portal.approvals.freezes.recurrence import WEEKDAYS

REPEATS = {
    "once": _("Once"),
    "daily": _("Every day"),
    "weekly": _("Every week"),
    "monthly": _("Every month, on the day it starts"),
    "yearly": _("Every year, on the day it starts"),
    "rule": _("Custom rule (RRULE)"),
}
DAYS = [(WEEKDAYS[number], name) for number, name in WEEKDAYS_ABBR.items()]
_FREQUENCIES = {name: name.upper() for name in ("daily", "weekly", "monthly", "yearly")}
# What the friendly choices make; everything else is shown as a rule.
_SIMPLE = re.compile(
    r"FREQ=(?P<often>DAILY|WEEKLY|MONTHLY|YEARLY)(?:;BYDAY=(?P<days>[A-Z]{2}(?:,[A-Z]{2})*))?"
    r"(?:;UNTIL=(?P<until>[0-9]{8}))?\Z"
)


@dataclass(slots=True)
class Values:
    name: str = ""
    reason: str = ""
    environments: list[str] = field(default_factory=list)
    starts: str = ""
    ends: str = ""
    zone: str = "UTC"
    repeat: str = "once"
    weekdays: list[str] = field(default_factory=list)
    until: str = ""
    rrule: str = ""

    @property
    def document(self) -> dict[str, object]:
        return {
            "name": self.name,
            "reason": self.reason,
            "environments": self.environments,
            "starts": self.starts,
            "ends": self.ends,
            "zone": self.zone,
            "rrule": self._rule(),
        }

    def _rule(self) -> str:
        if self.repeat not in _FREQUENCIES:
            return (self.rrule or "RRULE:") if self.repeat == "rule" else ""
        parts = [f"FREQ={_FREQUENCIES[self.repeat]}"]
        if self.repeat == "weekly" and self.weekdays:
            parts.append("BYDAY=" + ",".join(self.weekdays))
        if self.until:
            parts.append("UNTIL=" + self.until.replace("-", ""))
        return ";".join(parts)


def sent_values(sent: QueryDict) -> Values:
    texts = {name: sent.get(name, "").strip() for name in ("name", "reason", "starts", "ends")}
    return Values(
        **texts,
        environments=sent.getlist("environments"),
        zone=sent.get("zone", "").strip(),
        repeat=sent.get("repeat", "once"),
        weekdays=[day for day in WEEKDAYS if day in sent.getlist("weekdays")],
        until=sent.get("until", "").strip(),
        rrule=sent.get("rrule", "").strip(),
    )


def stored_values(freeze: FreezeWindow) -> Values:
    values = Values(
        name=freeze.name,
        reason=freeze.reason,
        environments=[environment.key for environment in freeze.environments.all()],
        starts=freeze.starts,
        ends=freeze.ends,
        zone=freeze.zone,
    )
    simple = _SIMPLE.match(freeze.rrule)
    if simple is None or (simple["days"] and simple["often"] != "WEEKLY"):
        values.repeat, values.rrule = ("rule", freeze.rrule) if freeze.rrule else ("once", "")
        return values
    values.repeat = simple["often"].lower()
    values.weekdays = (simple["days"] or "").split(",")
    day = simple["until"]
    values.until = f"{day[:4]}-{day[4:6]}-{day[6:]}" if day else ""
    return values
