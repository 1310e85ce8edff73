import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.access.services import NotByKeys
from portal.approvals.freezes.descriptions import freeze_changes, line_sentence, window_words
from portal.approvals.freezes.models import FREEZE_FIELDS, FreezeWindow
from portal.approvals.freezes.recurrence import BadRule, parse_rule
from portal.approvals.freezes.selectors import line_stopped_in
from portal.approvals.freezes.windows import (
    LONGEST,
    YEARS,
    Occurrence,
    Window,
    coming,
    in_force,
    zones,
)
from portal.lib.errors import Conflict, Invalid, checked_text
from portal.lib.journal import Actor, ActorKind, Intent

LONGEST_NAME = 100
LONGEST_REASON = 1000
# To the minute, and ASCII digits alone: fromisoformat takes much more.
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}\Z")


@dataclass(slots=True)
class _FreezeCheck:
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
    check = _FreezeCheck(project, document, moment, freeze)
    for one in (check.texts, check.name, check.places, check.times, check.rule):
        one()
    if not check.problems:
        check.occurs()
    if check.problems:
        raise Invalid(check.problems)
    return check.wanted, check.environments


def read_window(project: Project, document: Mapping[str, object], *, moment: datetime) -> Window:
    """When a window would be, whatever it is called and wherever it holds. Raises Invalid."""
    check = _FreezeCheck(project, document, moment, None)
    for one in (check.texts, check.times, check.rule):
        one()
    if not check.problems:
        check.occurs()
    if check.problems:
        raise Invalid(check.problems)
    return check.window


Document = Mapping[str, object]


@transaction.atomic
def create_freeze(*, project: Project, document: Document, intent: Intent) -> FreezeWindow:
    """Create a window; ``document`` has the fields of FreezeWindow.document.

    Raises Invalid with each field that is wrong; Forbidden without ``environment.configure`` in
    each of its environments. What passed the gate before stands; nothing is undone.
    """
    outbox.lock_people(project)
    moment = intent.at
    wanted, environments = read_document(project, document, moment=moment)
    _require(Permission.ENVIRONMENT_CONFIGURE, project, environments, intent.actor)
    freeze = FreezeWindow(project=project, created_at=moment, created_by=intent.actor.label)
    _store(freeze, wanted, environments, intent.actor, moment)
    after = freeze.document | {"words": window_words(freeze.window)}
    intent.record("freeze.created", freeze.recorded_in(environments), after=after)
    return freeze


@transaction.atomic
def edit_freeze(
    *, freeze: FreezeWindow, document: Document, expected_version: int, intent: Intent
) -> FreezeWindow:
    """Change a window. Raises what create_freeze raises, for the environments of before and after;
    Forbidden without ``freeze.override`` where it takes away from a freeze that is in force now;
    Conflict where it is no longer at ``expected_version``; Invalid where it is cancelled.
    """
    project = freeze.project
    outbox.lock_people(project)
    moment, locked = intent.at, _lock(freeze)
    before, before_environments = locked.document, list(locked.environments.all())
    if locked.version != expected_version:
        raise Conflict(
            _("Someone changed this freeze meanwhile."), current=before, yours=dict(document)
        )
    wanted, environments = read_document(project, document, moment=moment, freeze=locked)
    everywhere = {place.pk: place for place in [*before_environments, *environments]}.values()
    _require(Permission.ENVIRONMENT_CONFIGURE, project, everywhere, intent.actor)
    running = in_force(locked.window, moment)
    for name in FREEZE_FIELDS:
        setattr(locked, name, wanted[name])
    kept = _goes_on(running, locked, moment)
    lost = [one for one in before_environments if not (kept and one in environments)]
    if running:
        _require(Permission.FREEZE_OVERRIDE, project, lost, intent.actor)
    after = wanted | {"environments": [environment.key for environment in environments]}
    if after == before:
        return locked
    locked.version += 1
    _store(locked, wanted, environments, intent.actor, moment)
    after["words"] = freeze_changes(before, after)
    intent.record("freeze.edited", locked.recorded_in(everywhere), before=before, after=after)
    return locked


@transaction.atomic
def cancel_freeze(*, freeze: FreezeWindow, intent: Intent) -> None:
    """End a window for good; it stays in the history.

    Raises Forbidden without ``environment.configure`` in each of its environments, and without
    ``freeze.override`` there while it is in force; Invalid where it is cancelled already.
    """
    outbox.lock_people(freeze.project)
    moment, locked = intent.at, _lock(freeze)
    environments = list(locked.environments.all())
    _require(Permission.ENVIRONMENT_CONFIGURE, freeze.project, environments, intent.actor)
    if in_force(locked.window, moment):
        _require(Permission.FREEZE_OVERRIDE, freeze.project, environments, intent.actor)
    locked.cancelled_at, locked.cancelled_by = moment, intent.actor.label
    locked.save(update_fields=["cancelled_at", "cancelled_by"])
    before = locked.document | {"words": window_words(locked.window)}
    intent.record("freeze.cancelled", locked.recorded_in(environments), before=before)


@transaction.atomic
def stop_line(*, environment: Environment, intent: Intent) -> FreezeWindow:
    """Let nothing raise what users get in an environment, until somebody lifts that.

    Turning off, rolling back and the ends of emergencies pass; nobody overrides it. Raises
    Forbidden without ``incident.manage``, Invalid without a reason, or where it is stopped already.
    """
    project = environment.project
    outbox.lock_people(project)
    authority.require(
        intent.actor, Permission.INCIDENT_MANAGE, project=project, environment=environment
    )
    reason = checked_text(intent.reason, "reason")
    if not reason:
        raise Invalid({"reason": _("Say what is wrong; it is shown to everyone who is blocked.")})
    if line_stopped_in(environment):
        raise Invalid({"": _("The line is stopped there already.")})
    starts = intent.at.astimezone(UTC).replace(tzinfo=None)
    wanted = {
        "name": f"Stopped line of {environment.key}",
        "reason": reason,
        "starts": f"{starts:%Y-%m-%dT%H:%M}",
        "ends": f"{starts + LONGEST:%Y-%m-%dT%H:%M}",
        "zone": "UTC",
        "rrule": "",
    }
    line = FreezeWindow(
        project=project, stops_line=True, created_at=intent.at, created_by=intent.actor.label
    )
    _store(line, wanted, [environment], intent.actor, intent.at)
    words = [line_sentence(line, [environment])]
    after = line.document | {"words": words}
    intent.record("freeze.line_stopped", line.recorded_in([environment]), after=after)
    return line


@transaction.atomic
def lift_line(*, environment: Environment, intent: Intent) -> None:
    """Let things go on where the line was stopped. Raises Forbidden without ``incident.manage``,
    NotByKeys, Invalid where it is not stopped."""
    if intent.actor.kind is ActorKind.KEY:
        raise NotByKeys(_("Only a person can lift a stopped line."))
    outbox.lock_people(environment.project)
    authority.require(
        intent.actor,
        Permission.INCIDENT_MANAGE,
        project=environment.project,
        environment=environment,
    )
    line = line_stopped_in(environment)
    if line is None:
        raise Invalid({"": _("The line is not stopped there.")})
    locked = _lock(line)
    locked.cancelled_at, locked.cancelled_by = intent.at, intent.actor.label
    locked.save(update_fields=["cancelled_at", "cancelled_by"])
    before = locked.document | {"words": [line_sentence(locked, [environment])]}
    intent.record("freeze.line_lifted", locked.recorded_in([environment]), before=before)


def _goes_on(running: Occurrence | None, freeze: FreezeWindow, moment: datetime) -> bool:
    """Whether an edited window holds now, and for as long as it did before."""
    still = in_force(freeze.window, moment)
    return bool(running and still and still.ends >= running.ends)


def _lock(freeze: FreezeWindow) -> FreezeWindow:
    locked = freeze.project.freezes.select_for_update().get(pk=freeze.pk)
    if locked.is_cancelled:
        text = _("{person} has cancelled this freeze.")
        raise Invalid({"": text.format(person=locked.cancelled_by)})
    return locked


def _require(
    permission: Permission, project: Project, environments: Iterable[Environment], actor: Actor
) -> None:
    for environment in environments:
        authority.require(actor, permission, project=project, environment=environment)


def _store(
    freeze: FreezeWindow,
    wanted: Document,
    environments: list[Environment],
    actor: Actor,
    moment: datetime,
) -> None:
    for name in FREEZE_FIELDS:
        setattr(freeze, name, wanted[name])
    freeze.updated_at, freeze.updated_by = moment, actor.label
    freeze.save()
    freeze.environments.set(environments)
