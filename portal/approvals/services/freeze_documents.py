"""Reading what somebody wants a freeze window to be, and saying what is wrong with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import gettext as _

from portal.access.models import Environment, Project
from portal.approvals.freezing import LONGEST, YEARS, Window, coming, zones
from portal.approvals.models import FREEZE_FIELDS, FreezeWindow
from portal.approvals.rule_text import BadRule, parse_rule
from portal.lib.errors import Invalid

LONGEST_NAME = 100
LONGEST_REASON = 1000
# To the minute, and ASCII digits alone: fromisoformat takes much more.
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}\Z")


@dataclass(slots=True)
class _Check:
    project: Project
    document: Mapping[str, object]
    moment: datetime
    freeze: FreezeWindow | None
    problems: dict[str, str] = field(default_factory=dict)
    environments: list[Environment] = field(default_factory=list)
    wanted: dict[str, object] = field(default_factory=dict)

    @property
    def window(self) -> Window:
        starts, ends = (datetime.fromisoformat(self._text(one)) for one in ("starts", "ends"))
        return Window(self._text("name"), starts, ends, self._text("zone"), self._text("rrule"))

    def texts(self) -> None:
        for name in FREEZE_FIELDS:
            value = self.document.get(name, "")
            if not isinstance(value, str):
                self.problems[name] = _("Send a text.")
            self.wanted[name] = value.strip() if isinstance(value, str) else ""
        if self.problems:
            raise Invalid(self.problems)

    def name(self) -> None:
        name = self._text("name")
        others = FreezeWindow.objects.filter(project=self.project, name=name, cancelled_at=None)
        if not name or len(name) > LONGEST_NAME:
            text = _("Give it a name of at most {most} characters.")
            self.problems["name"] = text.format(most=LONGEST_NAME)
        elif others.exclude(pk=self.freeze.pk if self.freeze else 0).exists():
            self.problems["name"] = _("There is a freeze of this name already; choose another.")
        if len(self._text("reason")) > LONGEST_REASON:
            text = _("Write at most {most} characters.").format(most=LONGEST_REASON)
            self.problems["reason"] = text

    def places(self) -> None:
        keys = self.document.get("environments")
        if not isinstance(keys, list) or not keys or not all(isinstance(k, str) for k in keys):
            self.problems["environments"] = _("Choose at least one environment.")
            return
        found = {place.key: place for place in self.project.environments.all()}
        unknown = [key for key in keys if key not in found]
        if unknown:
            text = _("There is no environment called {name} here.").format(name=unknown[0][:50])
            self.problems["environments"] = text
        elif len(set(keys)) < len(keys):
            self.problems["environments"] = _("Name each environment once.")
        else:
            self.environments = [place for key, place in found.items() if key in keys]

    def times(self) -> None:
        starts, ends = self._time("starts"), self._time("ends")
        if starts and ends and ends <= starts:
            self.problems["ends"] = _("It has to end after it starts.")
        elif starts and ends and ends - starts > LONGEST:
            self.problems["ends"] = _("A freeze lasts a year at most.")
        if self._text("zone") not in zones():
            text = _("Choose a time zone by its IANA name, such as Europe/Berlin.")
            self.problems["zone"] = text

    def rule(self) -> None:
        try:
            if self._text("rrule"):
                parse_rule(self._text("rrule"))
        except BadRule as error:
            self.problems["rrule"] = str(error)

    def occurs(self) -> None:
        """Only asked where everything else is right."""
        window = self.window
        if coming(window, self.moment, 1):
            return
        if not window.rrule:
            self.problems["ends"] = _("This would be over already; choose a future time.")
        else:
            text = _("By this rule it would never be in force from now on; change it or the start.")
            self.problems["rrule"] = text

    def _time(self, name: str) -> datetime | None:
        try:
            text = self._text(name)
            moment = datetime.fromisoformat(text) if _LOCAL.match(text) else None
        except ValueError:
            moment = None
        if moment is None or moment.year not in YEARS:
            text = _("Give a day and a time like 2026-12-24T16:00, from {first} to {last}.")
            self.problems[name] = text.format(first=YEARS[0], last=YEARS[-1])
            return None
        return moment

    def _text(self, name: str) -> str:
        return str(self.wanted[name])


def read_document(
    project: Project,
    document: Mapping[str, object],
    *,
    moment: datetime,
    freeze: FreezeWindow | None = None,
) -> tuple[dict[str, object], list[Environment]]:
    """The fields of a window, and its environments in their order.

    ``freeze`` is the one that is edited. Raises Invalid with one sentence for each wrong field.
    """
    unknown = sorted(set(document) - {*FREEZE_FIELDS, "environments"})
    if unknown:
        raise Invalid({unknown[0]: _("A freeze has no such field.")})
    check = _Check(project, document, moment, freeze)
    for one in (check.texts, check.name, check.places, check.times, check.rule):
        one()
    if not check.problems:
        check.occurs()
    if check.problems:
        raise Invalid(check.problems)
    return check.wanted, check.environments


def read_window(project: Project, document: Mapping[str, object], *, moment: datetime) -> Window:
    """When a window would be, whatever it is called and wherever it holds. Raises Invalid."""
    check = _Check(project, document, moment, None)
    for one in (check.texts, check.times, check.rule):
        one()
    if not check.problems:
        check.occurs()
    if check.problems:
        raise Invalid(check.problems)
    return check.window
