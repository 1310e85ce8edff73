"""Who may do what: every permission of every kind of person, written out."""

from datetime import datetime

import pytest

from portal.access import authority, services
from portal.access.models import Environment, Grant, Project, User
from portal.access.permissions import Permission
from portal.lib import journal
from portal.lib.errors import Forbidden
from portal.lib.journal import Actor, Intent, Trace
from tests.support.people import SETTING_UP, acting

LOOKS = {"flag.view", "audit.view"}
CHANGES = LOOKS | {"flag.edit", "flag.toggle", "flag.archive", "segment.edit"}
CHANGES |= {"change_request.create"}
EDITS = CHANGES | {"change_request.apply", "release.create"}
SCRIPTS = CHANGES | {"audit.export", "release.create", "release.deploy", "release.rollback"}
ALL = EDITS | {
    *("change_request.approve", "release.deploy", "release.rollback", "release.approve"),
    *("environment.configure", "freeze.override", "key.manage", "member.manage"),
    *("audit.export", "incident.manage"),
}


def allowed(actor: Actor, project: Project, environment: Environment | None = None) -> set[str]:
    """What an actor may, found out by asking for everything."""
    found = set()
    for permission in Permission:
        try:
            authority.require(actor, permission, project=project, environment=environment)
        except Forbidden:
            continue
        found.add(str(permission))
    return found


def admin_key(environment: Environment, now: datetime) -> Actor:
    issued = services.issue_key(
        environment=environment, kind="admin", name="Pipeline", intent=Intent(SETTING_UP, at=now)
    )
    return authority.key_actor(issued.key, Trace())


def test_permissions__as_a_whole__are_these() -> None:
    """A permission that is added has to be given to somebody here first."""
    assert {str(permission) for permission in Permission} == ALL


@pytest.mark.parametrize(
    ("person", "may"), [("alice", ALL), ("dana", EDITS), ("bob", LOOKS), ("charlie", set())]
)
def test_require__each_person_in_the_shop__may_what_their_role_says(
    shop: Project, production: Environment, charlie: User, person: str, may: set[str]
) -> None:
    actor = acting(User.objects.get(username=person))
    assert allowed(actor, shop) == may
    assert allowed(actor, shop, production) == may


def test_require__admin_of_another_project__may_nothing(
    shop: Project, garden: Project, charlie: User
) -> None:
    assert allowed(acting(charlie), garden) == ALL
    assert allowed(acting(charlie), shop) == set()


def test_require__site_administrator__may_everything_without_being_a_member(shop: Project) -> None:
    root = services.create_user(
        username="root", password="x", intent=Intent(SETTING_UP), is_superuser=True
    )
    assert allowed(acting(root), shop) == ALL


def test_require__role_taken_away_meanwhile__counts_at_once(shop: Project, dana: User) -> None:
    actor = acting(dana)
    Grant.objects.filter(user=dana).delete()
    assert allowed(actor, shop) == set()


@pytest.mark.parametrize("superuser", [False, True])
def test_require__account_deactivated__may_nothing(
    shop: Project, alice: User, superuser: bool
) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False, is_superuser=superuser)
    assert allowed(acting(alice), shop) == set()


def test_require__account_deleted__may_nothing(shop: Project, alice: User) -> None:
    actor = acting(alice)
    alice.delete()
    assert allowed(actor, shop) == set()


def test_require__the_product_itself__may_everything(shop: Project) -> None:
    assert allowed(journal.system("beat"), shop) == ALL


def test_require__admin_key__edits_its_own_environment_only(
    production: Environment, staging: Environment, shop: Project, now: datetime
) -> None:
    actor = admin_key(production, now)
    assert allowed(actor, shop, production) == SCRIPTS
    assert allowed(actor, shop, staging) == set()


def test_require__admin_key_of_another_project__may_nothing(
    garden: Project, shop: Project, now: datetime
) -> None:
    actor = admin_key(garden.environments.get(key="production"), now)
    assert allowed(actor, shop) == set()
    assert allowed(actor, shop, shop.environments.get(key="production")) == set()


def test_require__admin_key_revoked__may_nothing(
    production: Environment, shop: Project, now: datetime
) -> None:
    issued = services.issue_key(
        environment=production, kind="admin", name="Pipeline", intent=Intent(SETTING_UP, at=now)
    )
    actor = authority.key_actor(issued.key, Trace())
    services.revoke_key(key=issued.key, intent=Intent(SETTING_UP, at=now))
    assert allowed(actor, shop, production) == set()


@pytest.mark.parametrize("kind", ["server", "client"])
def test_require__key_that_only_reads_flags__may_nothing(
    production: Environment, shop: Project, now: datetime, kind: str
) -> None:
    issued = services.issue_key(
        environment=production, kind=kind, name="Shop", intent=Intent(SETTING_UP, at=now)
    )
    assert allowed(authority.key_actor(issued.key, Trace()), shop, production) == set()


def test_forbidden__to_a_viewer__names_the_permission_and_whom_to_ask(
    shop: Project, bob: User
) -> None:
    with pytest.raises(Forbidden, match=r"turn flags on and off.*Ask an admin") as refused:
        authority.require(acting(bob), Permission.FLAG_TOGGLE, project=shop)
    assert refused.value.permission == "flag.toggle"
