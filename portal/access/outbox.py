"""Giving a change its version and leaving word of it for the relay, in the change's transaction.

Locks are taken in one order: project, change request, people, environments, and the audit trail's
head last. All but the head's are FOR NO KEY UPDATE: PostgreSQL checks foreign keys at COMMIT, when
a writer has the head already, and a FOR UPDATE on the row referred to would stand in its way.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.dispatch import Signal

from portal.access.models import Environment, EnvironmentChange, Project, new_nonce
from portal.lib import held

# What other packages call the things that they publish is theirs to say.
KEY = "key"


def lock_environments(environments: Iterable[Environment]) -> list[Environment]:
    """Lock the rows, always in the same order so that no two writers wait for each other."""
    given = {environment.pk: environment for environment in environments}
    rows = Environment.objects.select_for_update(no_key=True).filter(pk__in=given).order_by("pk")
    locked = list(rows.select_related(None))
    for one in locked:
        if Environment.project.is_cached(given[one.pk]):
            one.project = given[one.pk].project
    return locked


def lock_people(project: Project) -> None:
    """Lock a project against changes of who may do what in it, and against new environments.

    Code that locks this and environments takes this first. What people hold in the project is then
    read once.
    """
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    held.begin(("people", project.pk))


def lock_project(project: Project) -> list[Environment]:
    """Lock all environments of a project, and the project against getting another meanwhile.

    For changes that every environment sees: one that is just being created must not miss them.
    """
    lock_people(project)
    return lock_environments(project.environments.all())


def advance(environment: Environment, *, kind: str, keys: Iterable[str], now: datetime) -> int:
    """Take the next version of a locked environment for a change of the named objects.

    Returns the version. The caller holds the row's lock and is inside the change's transaction.
    """
    environment.version += 1
    environment.nonce = new_nonce()
    environment.save(update_fields=["version", "nonce"])
    EnvironmentChange.objects.bulk_create(
        EnvironmentChange(
            environment=environment,
            version=environment.version,
            kind=kind,
            key=key,
            nonce=environment.nonce,
            changed_at=now,
        )
        for key in keys
    )
    nudge([environment.pk])
    return environment.version


def nudge(environment_ids: list[int]) -> None:
    """Tell listeners, once the transaction has committed."""
    transaction.on_commit(
        lambda: environments_advanced.send_robust(sender=None, environment_ids=environment_ids)
    )


# What access tells those above it, who subscribe; it knows none of them.


# Sent after the commit of a change that evaluators have to learn of, with ``environment_ids``.
# A hint and nothing more: who misses it finds the same in the database.
environments_advanced = Signal()

# Sent inside the transaction that creates an environment, with ``environment`` and ``now``:
# receivers that prepare something in it do so now, or the environment is not created.
environment_created = Signal()

# Sent inside the transaction that removes a role or a group, with ``project`` and ``name``:
# a receiver that still needs the name raises Invalid and says what to do, and it stays.
name_removing = Signal()

# Sent where a key gives somebody roles or groups, with ``project`` and ``names``: a receiver that
# knows of one that takes a person to hand out raises an error that says so.
handing_out = Signal()
