"""Planning a group: all of its releases are planned in one transaction, or none."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import outbox
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.approvals import gate
from portal.approvals.models import State as RequestState
from portal.lib.errors import Conflict, Invalid, checked_text, refuse
from portal.lib.journal import Intent
from releases.core.models import Release, ReleaseGroup, State
from releases.core.planning import plan_release
from releases.core.selectors import releases_seen

FEWEST: Final = 2
MOST: Final = 20
_FIELDS: Final = ("name", "members")


@transaction.atomic
def plan_group(*, project: Project, document: object, intent: Intent) -> ReleaseGroup:
    """Make a group that nobody has started.

    ``document`` has a ``name`` and 2 to 20 ``members``, in the order of their positions: what goes
    back does so from the last to the first. A member is a release (releases.core.planning) with its
    ``environment``, or ``{"release": number}`` for one that is planned already.
    Raises Invalid with each problem under its path (``members[1].artefact.version``), and Forbidden
    where planning one of them takes more.
    """
    name, members = _read(document)
    planned = _planned(project, members, intent)
    group = ReleaseGroup.objects.create(
        project=project,
        name=name,
        reason=checked_text(intent.reason, "reason"),
        created_at=intent.at,
        created_by=intent.actor.label,
    )
    for position, release in enumerate(planned):
        release.group, release.position = group, position
        release.save(update_fields=["group", "position"])
    after = {"name": group.name, "members": [one.title for one in planned]}
    intent.record("release_group.planned", group, after=after)
    return group


def _planned(project: Project, members: Sequence[object], intent: Intent) -> list[Release]:
    """The members, each problem of which is found before any is said."""
    places = {one.key: one for one in outbox.lock_project(project)}
    problems: dict[str, str] = {}
    planned: dict[int, Release] = {}
    for position, member in enumerate(members):
        try:
            with transaction.atomic():
                release = _member(project, places, member, intent)
                _refuse_twice(release, planned)
                planned[position] = release
        except Invalid as error:
            problems |= {_path(position, path): text for path, text in error.problems.items()}
        except Conflict as error:
            problems[_path(position, "")] = str(error)
    refuse(problems)
    return [*planned.values()]


def _read(document: object) -> tuple[str, Sequence[object]]:
    if not isinstance(document, Mapping):
        raise Invalid({"": _("Send a JSON object.")})
    refuse({str(n)[:100]: _("There is no such field.") for n in document if n not in _FIELDS})
    return _name(document.get("name")), _members(document.get("members"))


def _name(name: object) -> str:
    said = checked_text(name, "name", most=200) if isinstance(name, str) else ""
    if not said:
        raise Invalid({"name": _("Give the group a name.")})
    return said


def _members(members: object) -> Sequence[object]:
    if not isinstance(members, list | tuple) or not FEWEST <= len(members) <= MOST:
        text = _("Name {fewest} to {most} members.")
        raise Invalid.of("members", text, fewest=FEWEST, most=MOST)
    return members


def _path(position: int, path: str) -> str:
    return f"members[{position}].{path}" if path else f"members[{position}]"


def _member(
    project: Project, places: Mapping[str, Environment], document: object, intent: Intent
) -> Release:
    if not isinstance(document, Mapping):
        raise Invalid({"": _("Send a JSON object.")})
    if "release" in document:
        return _planned_already(project, document, intent)
    rest: dict[str, Any] = dict(document)
    key = rest.pop("environment", None)
    place = places.get(key) if isinstance(key, str) else None
    if place is None:
        text = _("There is no such environment in this project.")
        raise Invalid({"environment": text})
    return plan_release(project=project, environment=place, document=rest, intent=intent)


def _planned_already(project: Project, document: Mapping[str, Any], intent: Intent) -> Release:
    number, more = document["release"], [name for name in document if name != "release"]
    refuse({str(name)[:100]: _("A planned release takes no such field.") for name in more})
    is_number = isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**63
    rows = releases_seen(project).select_for_update(of=("self",), no_key=True)
    found = rows.filter(pk=number).first() if is_number else None
    if found is None:
        raise Invalid({"release": _("There is no such release.")})
    permission = Permission.RELEASE_CREATE if found.service_id else Permission.FLAG_EDIT
    gate.require(intent, permission, project=project, environment=found.environment)
    if why := why_not_join(found):
        raise Invalid({"release": why})
    return found


def why_not_join(release: Release) -> str:
    """Why a release cannot become a member of a new group; empty where it can."""
    if release.group_id:
        return _("It is in a group already.")
    if release.state != State.PLANNED or release.due_at is not None:
        return _("It has been started already. Choose one that is only planned.")
    asked = release.project.change_requests.filter(
        subject_kind="release", subject=str(release.pk), state=RequestState.OPEN
    )
    if asked.exists():
        return _("People are asked about its start already. Withdraw that request first.")
    return ""


def _refuse_twice(release: Release, others: Mapping[int, Release]) -> None:
    """Raise Invalid where another one moves the same: one release at a time does."""
    mine = set(_moves(release))
    for position, other in others.items():
        if not mine.isdisjoint(_moves(other)):
            text = _("It moves the same as members[{n}]. Take one of the two.")
            raise Invalid.of("", text, n=position)


def _moves(release: Release) -> Iterator[tuple[int, str, str]]:
    place = release.environment_id
    yield place, "flag" if release.flag_id else "service", release.about.key
    if "flag" in release.router:
        yield place, "flag", str(release.router["flag"])
