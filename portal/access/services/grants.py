from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _

from portal.access import authority, outbox, selectors
from portal.access.models import Environment, Grant, Group, KeyKind, Project, User
from portal.access.outbox import handing_out
from portal.access.permissions import HANDED_OUT_BY_PEOPLE, Permission
from portal.access.services.sponsoring import record_role
from portal.lib.errors import AviaryError, Invalid
from portal.lib.journal import Actor, ActorKind, Intent


@transaction.atomic
def grant_role(
    *,
    project: Project,
    to: User | Group,
    role: str,
    intent: Intent,
    environment: Environment | None = None,
) -> Grant:
    """Give a role to a person or a group, in one environment or in all; again changes nothing.

    Raises Forbidden without ``member.manage``, NotByKeys where a key would give too much, Invalid
    for a role that the project does not have.
    """
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=project)
    outbox.lock_people(project)
    require_may_give(intent.actor, project, [(role, environment.pk if environment else None)])
    return store_grant(project=project, to=to, role=role, intent=intent, environment=environment)


@transaction.atomic
def revoke_grant(*, grant: Grant, intent: Intent) -> None:
    """Take a role away again. Raises Invalid where nobody could manage the members any more."""
    project = grant.project
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=project)
    with keeping_an_admin(project):
        _remove(grant, intent)


@transaction.atomic
def set_role(*, project: Project, user: User, role: str, intent: Intent) -> Grant:
    """Make ``role``, in all environments, the only one that a person was given by name.

    What comes through groups stays. Raises Invalid for an unknown role, and where nobody could
    manage the members any more.
    """
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=project)
    with keeping_an_admin(project):
        require_may_give(intent.actor, project, [(role, None)])
        kept = store_grant(project=project, to=user, role=role, intent=intent)
        for grant in project.grants.filter(user=user).exclude(pk=kept.pk):
            _remove(grant, intent)
    return kept


def store_grant(
    *,
    project: Project,
    to: User | Group,
    role: str,
    intent: Intent,
    environment: Environment | None = None,
    giver: Actor | None = None,
) -> Grant:
    """Store a grant; for services that have checked the permission.

    ``giver`` is on whose word the actor gives it, where that is somebody else.
    """
    known = authority.role_table(project)
    if role not in known:
        raise Invalid.of("role", _("Choose one of: {roles}."), roles=", ".join(known))
    holder = {"user": to} if isinstance(to, User) else {"group": to}
    grant, created = Grant.objects.get_or_create(
        project=project,
        role=role,
        environment=environment,
        **holder,
        defaults={"given_at": intent.at},
    )
    if created:
        intent.record("grant.given", grant, after=_describe(grant))
        record_role(giver or intent.actor, to, role, project, environment)
    return grant


@contextmanager
def keeping_an_admin(project: Project) -> Iterator[None]:
    """Refuse what would leave a project without anybody who may manage its members."""
    outbox.lock_people(project)
    managed = bool(selectors.holders_of(project, Permission.MEMBER_MANAGE))
    yield
    if managed and not selectors.holders_of(project, Permission.MEMBER_MANAGE):
        raise Invalid.of(
            "",
            _(
                "Nobody could manage the members of this project any more. "
                "Make someone else project admin first."
            ),
        )


def _remove(grant: Grant, intent: Intent) -> None:
    if Grant.objects.filter(pk=grant.pk).delete()[0]:
        intent.record("grant.revoked", grant, before=_describe(grant))


def remove_grants(project: Project, user: User, intent: Intent) -> None:
    for grant in project.grants.filter(user=user).select_related("user", "environment"):
        _remove(grant, intent)


def _describe(grant: Grant) -> dict[str, object]:
    return {
        "role": grant.role,
        "environment": grant.environment.key if grant.environment else "all",
    }


# What keys may not do, whatever they hold: hand out more than stands behind them.


class NotByKeys(AviaryError):
    """Something that takes a person, or more than the key's maker may do."""

    status = 403


def require_may_give(
    actor: Actor, project: Project, given: Iterable[tuple[str, int | None]]
) -> None:
    """Raise NotByKeys where a key would give somebody more than its maker may do there.

    ``given`` are names of roles and groups with the id of the environment, None for all. With
    that no key widens itself either: its maker holds already whatever it may give.
    """
    if actor.kind is not ActorKind.KEY:
        return
    gives = authority.role_assignments_of_names(given, project)
    everywhere = frozenset[Permission]().union(
        *(gives.roles.get(name, ()) for name, _where in gives.given)
    )
    _refuse(everywhere & HANDED_OUT_BY_PEOPLE)
    handing_out.send(sender=None, project=project, names={name for name, _where in gives.given})
    for environment in project.environments.all():
        held = gives.in_environment(environment.pk)
        _refuse(held - authority.may_hand_out(actor, project, environment))


def require_may_reserve(actor: Actor, permission: str) -> None:
    """The same for letting other roles and groups do something in an environment."""
    if actor.kind is ActorKind.KEY and permission in HANDED_OUT_BY_PEOPLE:
        _refuse({Permission(permission)})


def require_may_permit(actor: Actor, project: Project, permissions: Iterable[str]) -> None:
    """The same for what a role is to permit, to whomever it is given."""
    if actor.kind is not ActorKind.KEY:
        return
    wanted = {Permission(one) for one in permissions}
    _refuse(wanted & HANDED_OUT_BY_PEOPLE)
    for environment in project.environments.all():
        _refuse(wanted - authority.may_hand_out(actor, project, environment))


def given_by(group: Group) -> set[tuple[str, int | None]]:
    """What members of a group get with it: (role, environment)."""
    return {(group.key, None), *group.grants.values_list("role", "environment_id")}


def refuse_admin_keys(actor: Actor, kind: str) -> None:
    """Raise NotByKeys where a key would make or change an admin key."""
    if actor.kind is ActorKind.KEY and kind == KeyKind.ADMIN:
        raise NotByKeys(_("API keys cannot create or change admin keys; a person can."))


def _refuse(permissions: Iterable[Permission]) -> None:
    labels = ", ".join(sorted(str(one.label) for one in permissions))
    if labels:
        text = _("An API key cannot give this: {permissions}. Somebody who may does it in person.")
        raise NotByKeys(text.format(permissions=labels))


# Checking rows by their own rules.


def validate(instance: models.Model) -> None:
    """Check a row by its own rules. Raises Invalid, naming the fields."""
    try:
        instance.full_clean(exclude=["password"])
    except ValidationError as error:
        found = {field: " ".join(texts) for field, texts in error.message_dict.items()}
        # A key that is taken is found by a constraint, which Django counts to no field.
        whole = found.pop(NON_FIELD_ERRORS, None)
        raise Invalid(found | ({"key": whole} if whole else {})) from None
