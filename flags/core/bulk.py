"""The same done to many flags: each through its ordinary service, each reported by itself."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext as _, gettext_lazy

from flags.core import configurations, definitions
from flags.models import Flag
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals.errors import Waiting
from portal.lib.errors import AviaryError, Invalid
from portal.lib.journal import Intent

MOST_FLAGS = 200


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done to each flag; ``seen`` are the versions that somebody looked at."""

    intent: Intent
    environment: Environment | None = None
    tags: tuple[str, ...] = ()
    owner: str = ""
    seen: Mapping[str, int] = field(default_factory=dict)


class End(StrEnum):
    DONE = "done"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class BulkResult:
    flag: Flag
    end: End
    text: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    label: str | Promise
    permission: Permission
    run: Callable[[Flag, Job], object]
    needs: str = ""


def _edit(flag: Flag, job: Job, **changes: object) -> None:
    definitions.edit_flag(
        flag=flag,
        document=flag.document | changes,
        expected_version=flag.version,
        intent=job.intent,
    )


def _add_tags(flag: Flag, job: Job) -> None:
    _edit(flag, job, tags=list(dict.fromkeys([*flag.tags, *job.tags])))


def _remove_tags(flag: Flag, job: Job) -> None:
    _edit(flag, job, tags=[tag for tag in flag.tags if tag not in job.tags])


def _set_owner(flag: Flag, job: Job) -> None:
    _edit(flag, job, owner=job.owner)


def _archive(flag: Flag, job: Job) -> None:
    definitions.archive_flag(flag=flag, intent=job.intent)


def _switch(enabled: bool) -> Callable[[Flag, Job], None]:
    def run(flag: Flag, job: Job) -> None:
        if job.environment is None:
            raise Invalid({"environment": _("Choose an environment.")})
        configurations.set_enabled(
            flag=flag,
            environment=job.environment,
            enabled=enabled,
            intent=job.intent,
            expected_version=job.seen.get(flag.key),
        )

    return run


ACTIONS: dict[str, Action] = {
    "turn_on": Action(
        gettext_lazy("Turn on"), Permission.FLAG_TOGGLE, _switch(True), "environment"
    ),
    "turn_off": Action(
        gettext_lazy("Turn off"), Permission.FLAG_TOGGLE, _switch(False), "environment"
    ),
    "add_tags": Action(gettext_lazy("Add tags"), Permission.FLAG_EDIT, _add_tags, "tags"),
    "remove_tags": Action(gettext_lazy("Remove tags"), Permission.FLAG_EDIT, _remove_tags, "tags"),
    "set_owner": Action(gettext_lazy("Set the owner"), Permission.FLAG_EDIT, _set_owner, "owner"),
    "archive": Action(gettext_lazy("Archive"), Permission.FLAG_ARCHIVE, _archive),
}


def change_flags(*, flags: Iterable[Flag], action: str, job: Job) -> list[BulkResult]:
    """Do something to each flag: a write of its own, so that one's refusal stops no other.

    Raises Invalid for an unknown action, one that lacks what it needs, or too many flags.
    """
    chosen, what = list(flags), ACTIONS.get(action)
    if what is None:
        raise Invalid({"action": _("Choose an action.")})
    if not 0 < len(chosen) <= MOST_FLAGS:
        raise Invalid.of(
            "flag", _("Choose 1 to {most} flags; narrow the list for fewer."), most=MOST_FLAGS
        )
    if what.needs in ("environment", "tags") and not getattr(job, what.needs):
        raise Invalid({what.needs: _("Say which.")})
    return [_one(what, flag, job) for flag in chosen]


def _one(what: Action, flag: Flag, job: Job) -> BulkResult:
    try:
        what.run(flag, job)
    except Waiting as waiting:
        return BulkResult(flag, End.WAITING, str(waiting), waiting.path)
    except AviaryError as error:
        return BulkResult(flag, End.REFUSED, str(error))
    return BulkResult(flag, End.DONE)
