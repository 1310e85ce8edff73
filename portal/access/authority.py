"""Who may do what: the one question every service asks before it changes anything."""

from portal.access.models import ApiKey, Environment, KeyKind, Membership, Project, User
from portal.access.permissions import (
    ADMIN_KEY_PERMISSIONS,
    EVERYTHING,
    ROLE_PERMISSIONS,
    Permission,
)
from portal.lib import clock
from portal.lib.errors import Forbidden
from portal.lib.journal import Actor, ActorKind, Trace

NOTHING: frozenset[Permission] = frozenset()


def user_actor(user: User, trace: Trace) -> Actor:
    """The actor for someone who is signed in."""
    return Actor(ActorKind.USER, str(user.pk), user.username, trace)


def key_actor(key: ApiKey, trace: Trace) -> Actor:
    """The actor for a script that shows an API key."""
    return Actor(ActorKind.KEY, str(key.pk), f"{key.name} ({key.selector})", trace)


def permissions_of_user(user: User, project: Project) -> frozenset[Permission]:
    """What a person may do in a project; nothing where they are not a member."""
    if not user.is_active:
        return NOTHING
    if user.is_superuser:
        return EVERYTHING
    role = Membership.objects.filter(user=user, project=project).values_list("role", flat=True)
    return ROLE_PERMISSIONS.get(role.first() or "", NOTHING)


def permissions_of(
    actor: Actor, project: Project, environment: Environment | None
) -> frozenset[Permission]:
    """What an actor may do in a project, asked of the database now and not of a session."""
    if actor.kind is ActorKind.SYSTEM:
        return EVERYTHING
    if actor.kind is ActorKind.USER:
        user = User.objects.filter(pk=actor.id).first()
        return permissions_of_user(user, project) if user else NOTHING
    return _permissions_of_key(actor, project, environment)


def require(
    actor: Actor,
    permission: Permission,
    *,
    project: Project,
    environment: Environment | None = None,
) -> None:
    """Raise Forbidden unless the actor holds the permission there."""
    if permission not in permissions_of(actor, project, environment):
        raise Forbidden(permission)


def _permissions_of_key(
    actor: Actor, project: Project, environment: Environment | None
) -> frozenset[Permission]:
    """An admin key reaches its own environment, and the flags of the project it belongs to."""
    key = ApiKey.objects.usable(now=clock.now()).filter(pk=actor.id, kind=KeyKind.ADMIN)
    if environment is not None:
        key = key.filter(environment=environment)
    found = key.filter(environment__project=project).exists()
    return ADMIN_KEY_PERMISSIONS if found else NOTHING
