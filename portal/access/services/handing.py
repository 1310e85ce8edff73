"""What keys may not do, whatever they hold: hand out more than stands behind them."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import Group, KeyKind, Project
from portal.access.permissions import HANDED_OUT_BY_PEOPLE, Permission
from portal.access.signals import handing_out
from portal.lib.errors import AviaryError
from portal.lib.journal import Actor, ActorKind


class NotByKeys(AviaryError):
    """Something that takes a person, or more than whoever made the key may do."""

    status = 403


def require_may_give(
    actor: Actor, project: Project, given: Iterable[tuple[str, int | None]]
) -> None:
    """Raise NotByKeys where a key would give somebody more than whoever made it may do there.

    ``given`` are names of roles and groups with the id of the environment, None for all. With
    that no key widens itself either: its maker holds already whatever it may give.
    """
    if actor.kind is not ActorKind.KEY:
        return
    gives = authority.holdings_of_names(given, project)
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
    """What whoever is put into a group gets with it."""
    return {(group.key, None), *group.grants.values_list("role", "environment_id")}


def refuse_admin_keys(actor: Actor, kind: str) -> None:
    """Raise NotByKeys where a key would make or change an admin key."""
    if actor.kind is ActorKind.KEY and kind == KeyKind.ADMIN:
        raise NotByKeys(_("API keys neither make nor change admin keys; a person does."))


def _refuse(permissions: Iterable[Permission]) -> None:
    labels = ", ".join(sorted(str(one.label) for one in permissions))
    if labels:
        text = _("An API key cannot give this: {permissions}. Somebody who may does it in person.")
        raise NotByKeys(text.format(permissions=labels))
