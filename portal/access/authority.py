"""Who may do what: the one question every service asks before it changes anything."""

from collections.abc import Iterable, Mapping

from portal.access.models import (
    ApiKey,
    CustomRole,
    Environment,
    Grant,
    Group,
    KeyKind,
    Project,
    User,
)
from portal.access.permissions import (
    ADDITIONAL_RIGHTS,
    ADMIN_KEY_PERMISSIONS,
    BUILTIN_ROLES,
    EVERYTHING,
    HANDED_OUT_BY_PEOPLE,
    NOTHING,
    Permission,
    RoleAssignments,
)
from portal.lib import clock, held
from portal.lib.errors import Forbidden
from portal.lib.journal import Actor, ActorKind, Trace


def user_actor(user: User, trace: Trace) -> Actor:
    return Actor(ActorKind.USER, str(user.pk), user.username, trace)


def key_actor(key: ApiKey, trace: Trace) -> Actor:
    return Actor(ActorKind.KEY, str(key.pk), f"{key.name} ({key.selector})", trace)


def answerable(actor: Actor) -> User | None:
    """The person behind an actor: behind a key its maker, behind a command who it names."""
    if actor.kind is ActorKind.SYSTEM:
        return User.objects.filter(pk=actor.id).first() if actor.id else None
    if actor.kind is not ActorKind.KEY:
        return user_of(actor)
    key = ApiKey.objects.select_related("creator").filter(pk=actor.id).first()
    return key.creator if key else None


def user_of(actor: Actor) -> User | None:
    """The person behind an actor; None for keys, the product itself, and who is gone."""
    if actor.kind is not ActorKind.USER:
        return None
    return User.objects.filter(pk=actor.id).first()


def role_table(project: Project) -> dict[str, frozenset[Permission]]:
    custom = CustomRole.objects.filter(project=project)
    known = set(Permission.values)
    return BUILTIN_ROLES | {
        role.key: frozenset(Permission(p) for p in role.permissions if p in known)
        for role in custom
    }


def role_assignments_of(user: User, project: Project) -> RoleAssignments:
    """What a person holds in a project, read now; nothing where they were given nothing."""
    return role_assignments_of_all([user], project)[user.pk]


def role_assignments_of_all(users: Iterable[User], project: Project) -> dict[int, RoleAssignments]:
    """What each of some people holds in a project, by their ids, in a few queries for all."""
    people, known = list(users), held.kept(("people", project.pk))
    unknown = [user for user in people if user.pk not in known]
    if unknown:
        known |= _read_assignments(unknown, project)
    return {user.pk: known[user.pk] for user in people}


def _read_assignments(people: list[User], project: Project) -> dict[int, RoleAssignments]:
    given = _given(people, project)
    named = {name for some in given.values() for name, _where in some}
    roles = role_table(project) if named - BUILTIN_ROLES.keys() else BUILTIN_ROLES
    environments, rules = _places(project)
    return {
        user.pk: RoleAssignments(
            given=frozenset(given.get(user.pk, ())) if user.is_active else frozenset(),
            roles=roles,
            rules=rules,
            environments=environments,
            unlimited=user.is_superuser and user.is_active,
        )
        for user in people
    }


def permissions_of_user(
    user: User, project: Project, environment: Environment | None = None
) -> frozenset[Permission]:
    if user.is_superuser and user.is_active:
        return EVERYTHING
    assignments = role_assignments_of(user, project)
    return assignments.in_environment(environment.pk) if environment else assignments.in_project()


def permissions_of(
    actor: Actor, project: Project, environment: Environment | None
) -> frozenset[Permission]:
    if actor.kind is ActorKind.SYSTEM:
        return EVERYTHING
    if actor.kind is ActorKind.USER:
        user = user_of(actor)
        return permissions_of_user(user, project, environment) if user else NOTHING
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
    """An admin key reaches its own environment, and the flags of the project it belongs to.

    It may do there what it was issued for, as far as its maker may do it at this moment.
    """
    keys = ApiKey.objects.filter(pk=actor.id, kind=KeyKind.ADMIN)
    if environment is None:
        keys = keys.filter(environment__project=project)
    elif environment.project_id == project.pk:
        keys = keys.filter(environment=environment)
    else:
        return NOTHING
    key = keys.first()
    if key is None or not key.is_usable(now=clock.now()):
        return NOTHING
    return permissions_of_key(key) & _cap(key, project, environment)


def permissions_of_key(key: ApiKey) -> frozenset[Permission]:
    """What an admin key was issued for, whatever became of its maker since."""
    return ADMIN_KEY_PERMISSIONS | {right for right in ADDITIONAL_RIGHTS if right in key.rights}


def may_hand_out(actor: Actor, project: Project, environment: Environment) -> frozenset[Permission]:
    """What an actor who manages members may give others in an environment: people everything.

    A key gives nobody more than its maker may do, and never what only people hand out.
    """
    if actor.kind is not ActorKind.KEY:
        return EVERYTHING
    key = ApiKey.objects.select_related("creator").filter(pk=actor.id).first()
    return _cap(key, project, environment) - HANDED_OUT_BY_PEOPLE if key else NOTHING


def role_assignments_of_names(
    given: Iterable[tuple[str, int | None]], project: Project
) -> RoleAssignments:
    """What somebody would hold who is given these roles and groups, and nothing else."""
    environments, rules = _places(project)
    return RoleAssignments(frozenset(given), role_table(project), rules, environments)


def _cap(key: ApiKey, project: Project, environment: Environment | None) -> frozenset[Permission]:
    """What the maker of a key may do now: an operator everything, a deleted person nothing."""
    if key.by_operator:
        return EVERYTHING
    return permissions_of_user(key.creator, project, environment) if key.creator else NOTHING


_GIVEN = ("user_id", "group_id", "role", "environment_id")


def _given(people: list[User], project: Project) -> dict[int, set[tuple[str, int | None]]]:
    """Roles and groups by person, each with the environment it counts in."""
    given: dict[int, set[tuple[str, int | None]]] = {user.pk: set() for user in people}
    groups = _groups(people, project)
    grants = Grant.objects.filter(project=project)
    found = list(grants.filter(user_id__in=list(given)).values_list(*_GIVEN))
    if groups:
        found += grants.filter(group_id__in=list(groups)).values_list(*_GIVEN)
    for user_id, group_id, role, environment in found:
        for holder in [user_id] if user_id else groups[group_id][1]:
            given[holder].add((role, environment))
    for key, members in groups.values():
        for member in members:
            given[member].add((key, None))
    return given


def _groups(people: list[User], project: Project) -> Mapping[int, tuple[str, list[int]]]:
    """The groups that some people are in: id -> (key, which of them)."""
    groups: dict[int, tuple[str, list[int]]] = {}
    ids = [user.pk for user in people]
    memberships = Group.members.through.objects.filter(group__project=project, user_id__in=ids)
    for group_id, key, user_id in memberships.values_list("group_id", "group__key", "user_id"):
        groups.setdefault(group_id, (key, []))[1].append(user_id)
    return groups


def _places(project: Project) -> tuple[frozenset[int], dict[tuple[int, str], frozenset[str]]]:
    """The ids of a project's environments, and for which roles and groups each reserves what."""
    found = project.environments.values_list("pk", "rules__permission", "rules__roles")
    rows = list(found.order_by())
    return frozenset(pk for pk, _permission, _roles in rows), {
        (pk, permission): frozenset(roles) for pk, permission, roles in rows if permission
    }
