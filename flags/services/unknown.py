"""Names that are asked for in vain: setting those aside that nobody needs to hear of."""

from dataclasses import replace

from django.db import transaction

from flags.models import UnknownFlag
from portal.access import authority
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.lib.intent import Intent


@transaction.atomic
def ignore_unknown_flag(
    *, environment: Environment, name: str, ignored: bool, intent: Intent
) -> None:
    """Set a name aside, or look at it again. What applications get is not touched by it.

    Raises Forbidden without ``flag.edit``.
    """
    project = environment.project
    authority.require(intent.actor, Permission.FLAG_EDIT, project=project, environment=environment)
    rows = UnknownFlag.objects.named().filter(environment=environment, name=name)
    rows = rows.filter(ignored_at=None) if ignored else rows.exclude(ignored_at=None)
    if not rows.update(ignored_at=intent.at if ignored else None):
        return  # it is so already
    intent.record(
        "unknown_flag.ignored" if ignored else "unknown_flag.watched",
        replace(environment.recorded_as, kind="unknown_flag", name=name),
    )
