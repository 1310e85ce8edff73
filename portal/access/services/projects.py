from dataclasses import replace

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import Environment, EnvironmentKind, Project, User, new_epoch
from portal.access.outbox import environment_created
from portal.access.permissions import BuiltinRole, Permission
from portal.access.services.grants import store_grant, validate
from portal.lib import journal
from portal.lib.errors import Forbidden
from portal.lib.journal import Actor, ActorKind, Intent

STANDARD_ENVIRONMENTS = (
    ("development", EnvironmentKind.DEVELOPMENT),
    ("staging", EnvironmentKind.STAGING),
    ("production", EnvironmentKind.PRODUCTION),
)


def guess_kind(key: str) -> EnvironmentKind:
    """What an environment's name says of it. Unknown names count as development."""
    if key in ("production", "prod", "live"):
        return EnvironmentKind.PRODUCTION
    if key in ("staging", "stage", "preprod", "uat"):
        return EnvironmentKind.STAGING
    return EnvironmentKind.DEVELOPMENT


@transaction.atomic
def create_project(*, key: str, name: str, intent: Intent) -> Project:
    """Create a project with its three standard environments; its creator becomes its admin.

    Raises Invalid when the key is malformed or taken, Forbidden unless a site administrator or the
    product itself asks.
    """
    _require_site_administrator(intent.actor)
    project = Project(key=key, name=name.strip() or key, created_at=intent.at)
    validate(project)
    project.save()
    intent.record("project.created", project, after={"name": project.name})
    for environment_key, kind in STANDARD_ENVIRONMENTS:
        create_environment(
            project=project,
            key=environment_key,
            kind=kind,
            intent=Intent(journal.system("new project"), at=intent.at),
        )
    if intent.actor.kind is ActorKind.USER:
        creator = User.objects.get(pk=intent.actor.id)
        store_grant(project=project, to=creator, role=BuiltinRole.PROJECT_ADMIN, intent=intent)
    return project


@transaction.atomic
def create_environment(*, project: Project, key: str, kind: str, intent: Intent) -> Environment:
    """Add an environment to a project. Raises Invalid when the key is malformed or taken."""
    authority.require(intent.actor, Permission.ENVIRONMENT_CONFIGURE, project=project)
    outbox.lock_project(project)
    environment = Environment(
        project=project,
        key=key,
        name=key.replace("-", " ").capitalize(),
        kind=kind,
        position=project.environments.count(),
    )
    validate(environment)
    environment.save()
    after = {"kind": str(kind), "name": environment.name, "governed_since": None}
    intent.record("environment.created", environment, after=after)
    environment_created.send(sender=None, environment=environment, now=intent.at)
    outbox.nudge([environment.pk])
    return environment


@transaction.atomic
def edit_project(*, project: Project, name: str, intent: Intent) -> Project:
    """Give a project another name; its key stays.

    Raises Forbidden without ``environment.configure``, Invalid for an unusable name.
    """
    authority.require(intent.actor, Permission.ENVIRONMENT_CONFIGURE, project=project)
    outbox.lock_people(project)
    project.refresh_from_db()
    before, project.name = project.name, name.strip()
    validate(project)
    if project.name == before:
        return project
    project.save(update_fields=["name"])
    intent.record("project.edited", project, before={"name": before}, after={"name": project.name})
    return project


@transaction.atomic
def edit_environment(*, environment: Environment, name: str, intent: Intent) -> Environment:
    """Give an environment another name; evaluators know it by its key, which stays.

    Raises Forbidden without ``environment.configure`` in it, Invalid for an unusable name.
    """
    project = environment.project
    authority.require(
        intent.actor, Permission.ENVIRONMENT_CONFIGURE, project=project, environment=environment
    )
    (locked,) = outbox.lock_environments([environment])
    before, locked.name = locked.name, name.strip()
    validate(locked)
    if locked.name == before:
        return locked
    locked.save(update_fields=["name"])
    intent.record(
        "environment.edited", locked, before={"name": before}, after={"name": locked.name}
    )
    return locked


@transaction.atomic
def renew_epoch(*, environment_id: int, seen_epoch: str, intent: Intent) -> Environment:
    """Start a new history where evaluators know another than the database does.

    That is so after the database was set back to a backup. Without a new epoch the evaluators
    would refuse the repeated versions as older than what they have, or take them for what they
    know. Returns the environment; leaves it alone where its epoch is later than the one seen.
    """
    environment = Environment.objects.select_for_update(no_key=True).get(pk=environment_id)
    if seen_epoch < environment.epoch:
        return environment
    # Later than the one seen, even where this machine's clock was set back as well.
    environment.epoch = max(new_epoch(), seen_epoch + "0")
    environment.save(update_fields=["epoch"])
    intent.record(
        "environment.epoch_renewed", replace(environment.recorded_as, version=environment.version)
    )
    return environment


def _require_site_administrator(actor: Actor) -> None:
    if actor.kind is ActorKind.SYSTEM:
        return
    is_user = actor.kind is ActorKind.USER
    if not is_user or not User.objects.filter(pk=actor.id, is_superuser=True).exists():
        raise Forbidden(_("create projects"))
