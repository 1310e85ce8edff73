"""Telling owners of flags that have done their work: one mail a week, about each flag once."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _, ngettext

from flags.models import Flag, LifecycleNotice
from flags.usage.lifecycle import Lifecycle, Stage
from flags.usage.stages import stages_of
from portal.access import selectors as access
from portal.access.models import Project, User
from portal.lib import clock
from portal.notifications import services as notifications
from portal.runs.runner import for_each

WEEK = timedelta(days=7)
_MOST_FLAGS = 50
Told = tuple[Flag, Lifecycle]


def remind_owners() -> int:
    """Mail owners who have something new to hear; returns how many mails that were.

    An owner is a member of the project whose name is the flag's owner. Doing this twice, or in two
    workers, writes the same mails, which are sent once.
    """
    moment = clock.database_now()
    return for_each(Project.objects.all(), lambda project: _remind_in(project, moment))


def _remind_in(project: Project, moment: datetime) -> int:
    people = {one.username: one for one in access.members_of(project).filter(is_active=True)}
    flags = Flag.objects.alive().filter(project=project, owner__in=people)
    found = list(flags.prefetch_related("configurations"))
    stages = stages_of(project, found, now=moment)
    by_owner: defaultdict[str, list[Told]] = defaultdict(list)
    for flag in found:
        by_owner[flag.owner].append((flag, stages[flag.pk].lifecycle))
    return sum(_remind(people[name], project, told, moment) for name, told in by_owner.items())


@transaction.atomic
def _remind(person: User, project: Project, flags: Iterable[Told], moment: datetime) -> bool:
    """Write to one owner, at most once a week about a project."""
    told = LifecycleNotice.objects.filter(user=person, flag__project=project)
    stale = [(flag, life) for flag, life in flags if life.stage is not Stage.IN_USE]
    # Whatever came back into use, or went to somebody else, may be told of again.
    told.exclude(flag__in=[flag for flag, _life in stale]).delete()
    if not person.wants_digests or told.filter(told_at__gt=moment - WEEK).exists():
        return False
    known = set(told.values_list("flag", "state"))
    new = [(flag, life) for flag, life in stale if (flag.pk, life.stage.value) not in known]
    if not new:
        return False
    notices = [
        LifecycleNotice(flag=flag, user=person, state=life.stage, told_at=moment)
        for flag, life in new
    ]
    LifecycleNotice.objects.bulk_create(notices, ignore_conflicts=True)
    return _write(person, project, new, moment)


def _write(person: User, project: Project, flags: list[Told], moment: datetime) -> bool:
    with translation.override(settings.LANGUAGE_CODE):
        subject = ngettext(
            "{n} of your flags may have done its work",
            "{n} of your flags may have done their work",
            len(flags),
        ).format(n=len(flags))
        parts = [subject + ".", *map(_paragraph, flags[:_MOST_FLAGS]), _farewell(project)]
    week = moment.strftime("%G-%V")
    notifications.notify(
        to=[person],
        key=f"lifecycle:{project.pk}:{week}",
        subject=f"[{project.name}] {subject}",
        text="\n\n".join(parts) + "\n",
    )
    return True


def _paragraph(told: Told) -> str:
    flag, life = told
    address = settings.PORTAL_URL + reverse("flag-usage", args=[flag.project.key, flag.key])
    return "\n".join([f"{flag.title}: {life.stage.label}", *life.why, address])


def _farewell(project: Project) -> str:
    where = settings.PORTAL_URL + reverse("account")
    return _("You can stop these mails under “Notifications” here: {address}").format(address=where)
