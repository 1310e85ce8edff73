"""Creating projects, environments, people and members."""

from datetime import datetime

import pytest

from flags.models import Flag, FlagConfiguration
from portal.access import provisioning, services
from portal.access.models import Environment, EnvironmentKind, Grant, Project, User
from portal.audit import selectors as audit
from portal.audit.models import AuditEvent
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent
from tests.support.people import SETTING_UP, acting

BAD_KEYS = ["", "Shop", "-shop", "my shop", "shop/1", "shöp", "s" * 51, "shop\n", "shop_1"]


@pytest.fixture
def root(db: None) -> User:
    return services.create_user(
        username="root", password="x", intent=Intent(SETTING_UP), is_superuser=True
    )


def create(key: str, now: datetime, *, name: str = "", actor: User | None = None) -> Project:
    by = acting(actor) if actor else SETTING_UP
    return services.create_project(key=key, name=name, intent=Intent(by, at=now))


def test_create_project__site_administrator__has_three_environments_and_an_admin(
    root: User, now: datetime
) -> None:
    project = create("shop-2", now, name=" Second shop ", actor=root)
    assert project.name == "Second shop"
    assert [(e.key, e.kind) for e in project.environments.all()] == [
        ("development", "development"),
        ("staging", "staging"),
        ("production", "production"),
    ]
    grant = Grant.objects.get(project=project)
    assert (grant.user, grant.role, grant.environment) == (root, "project_admin", None)


def test_create_project__without_a_name__is_called_by_its_key(db: None, now: datetime) -> None:
    assert create("shop", now, name="  ").name == "shop"


@pytest.mark.parametrize("person", ["alice", "dana", "bob", "charlie"])
def test_create_project__anybody_else__is_forbidden(
    shop: Project, charlie: User, now: datetime, person: str
) -> None:
    with pytest.raises(Forbidden):
        create("another", now, actor=User.objects.get(username=person))
    assert not Project.objects.filter(key="another").exists()


@pytest.mark.parametrize("key", BAD_KEYS)
def test_create_project__malformed_key__is_refused_by_name(
    db: None, now: datetime, key: str
) -> None:
    with pytest.raises(Invalid) as refused:
        create(key, now, name="Shop")
    assert list(refused.value.problems) == ["key"]
    assert not Project.objects.exists()
    assert not AuditEvent.objects.exists()


def test_create_project__key_that_is_taken__is_refused(shop: Project, now: datetime) -> None:
    rows = AuditEvent.objects.count()
    with pytest.raises(Invalid) as refused:
        create("shop", now)
    assert "already exists" in refused.value.problems["key"]
    assert AuditEvent.objects.count() == rows


@pytest.mark.parametrize("key", BAD_KEYS)
def test_create_environment__malformed_key__is_refused(
    shop: Project, alice: User, now: datetime, key: str
) -> None:
    with pytest.raises(Invalid) as refused:
        services.create_environment(
            project=shop,
            key=key,
            kind=EnvironmentKind.STAGING,
            intent=Intent(acting(alice), at=now),
        )
    assert "key" in refused.value.problems
    assert shop.environments.count() == 3


def test_create_environment__key_that_is_taken__is_refused(
    shop: Project, alice: User, now: datetime
) -> None:
    with pytest.raises(Invalid):
        services.create_environment(
            project=shop,
            key="staging",
            kind=EnvironmentKind.STAGING,
            intent=Intent(acting(alice), at=now),
        )


@pytest.mark.parametrize("person", ["dana", "bob"])
def test_create_environment__who_may_not__is_forbidden(
    shop: Project, now: datetime, person: str
) -> None:
    with pytest.raises(Forbidden):
        services.create_environment(
            project=shop,
            key="load-test",
            kind=EnvironmentKind.STAGING,
            intent=Intent(acting(User.objects.get(username=person)), at=now),
        )


def test_create_environment__project_with_flags__gives_each_a_configuration_that_is_off(
    shop: Project, new_checkout: Flag, alice: User, now: datetime
) -> None:
    environment = services.create_environment(
        project=shop,
        key="load-test",
        kind=EnvironmentKind.STAGING,
        intent=Intent(acting(alice), at=now),
    )
    configuration = FlagConfiguration.objects.get(flag=new_checkout, environment=environment)
    assert not configuration.enabled
    assert environment.position == 3


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("prod", "production"),
        ("live", "production"),
        ("uat", "staging"),
        ("preprod", "staging"),
        ("alices-laptop", "development"),
    ],
)
def test_guess_kind__from_a_name(key: str, kind: str) -> None:
    assert services.guess_kind(key) == kind


def test_ensure_environment__nothing_there__creates_both_and_says_so(
    db: None, now: datetime
) -> None:
    said: list[str] = []

    def ensure() -> Environment:
        return provisioning.ensure_environment(
            project_key="shop",
            environment_key="prod",
            intent=Intent(SETTING_UP, at=now),
            tell=said.append,
        )

    environment = ensure()
    assert (environment.project.key, environment.kind) == ("shop", "production")
    assert said == ["created project shop", "created environment shop/prod"]
    assert ensure() == environment
    assert len(said) == 2


def test_ensure_environment__malformed_environment__leaves_no_project(
    db: None, now: datetime
) -> None:
    with pytest.raises(Invalid):
        provisioning.ensure_environment(
            project_key="shop",
            environment_key="No!",
            intent=Intent(SETTING_UP, at=now),
            tell=lambda _text: None,
        )
    assert not Project.objects.exists()


@pytest.mark.parametrize("username", ["", "alice smith", "a" * 151])
def test_create_user__malformed_name__is_refused(db: None, username: str) -> None:
    with pytest.raises(Invalid) as refused:
        services.create_user(username=username, password="x", intent=Intent(SETTING_UP))
    assert list(refused.value.problems) == ["username"]


def test_create_user__name_that_is_taken__is_refused(alice: User) -> None:
    with pytest.raises(Invalid) as refused:
        services.create_user(username="alice", password="x", intent=Intent(SETTING_UP))
    assert list(refused.value.problems) == ["username"]


def test_create_user__password__is_hashed_and_not_in_the_audit_trail(db: None) -> None:
    user = services.create_user(username="erin", password="open-sesame", intent=Intent(SETTING_UP))
    user.refresh_from_db()
    assert user.check_password("open-sesame")
    assert "open-sesame" not in user.password
    (row,) = AuditEvent.objects.values()
    assert "open-sesame" not in str(row)
    assert user.password not in str(row)


def test_add_member__new_person__gets_an_account_and_a_password_that_works(
    shop: Project, alice: User, now: datetime
) -> None:
    added = services.add_member(
        project=shop, username="erin", role="developer", intent=Intent(acting(alice), at=now)
    )
    erin = User.objects.get(username="erin")
    assert added.password
    assert erin.check_password(added.password)
    assert added.grant.role == "developer"
    assert not erin.is_superuser


def test_add_member__known_person__keeps_their_password(
    shop: Project, alice: User, charlie: User, now: datetime
) -> None:
    added = services.add_member(
        project=shop, username="charlie", role="viewer", intent=Intent(acting(alice), at=now)
    )
    assert added.password is None
    assert User.objects.get(pk=charlie.pk).password == charlie.password


def test_add_member__member_already__is_refused(shop: Project, alice: User, now: datetime) -> None:
    with pytest.raises(Invalid, match="bob is a member already"):
        services.add_member(
            project=shop, username="bob", role="qa", intent=Intent(acting(alice), at=now)
        )
    assert Grant.objects.get(project=shop, user__username="bob").role == "viewer"


@pytest.mark.parametrize("person", ["dana", "bob", "charlie"])
def test_members__who_may_not_manage_them__is_forbidden(
    shop: Project, charlie: User, now: datetime, person: str
) -> None:
    user = User.objects.get(username=person)
    before = list(Grant.objects.values())
    with pytest.raises(Forbidden):
        services.add_member(
            project=shop, username="erin", role="qa", intent=Intent(acting(user), at=now)
        )
    with pytest.raises(Forbidden):
        services.set_role(
            project=shop, user=user, role="project_admin", intent=Intent(acting(user), at=now)
        )
    with pytest.raises(Forbidden):
        services.remove_member(project=shop, user=user, intent=Intent(acting(user)))
    assert list(Grant.objects.values()) == before
    assert not User.objects.filter(username="erin").exists()


def test_set_role__unknown_role__is_refused_with_those_there_are(
    shop: Project, alice: User, bob: User, now: datetime
) -> None:
    with pytest.raises(Invalid, match="viewer, auditor, product_manager, developer"):
        services.set_role(
            project=shop, user=bob, role="owner", intent=Intent(acting(alice), at=now)
        )


def test_set_role__changed__says_before_and_after(
    shop: Project, alice: User, bob: User, now: datetime
) -> None:
    services.set_role(
        project=shop, user=bob, role="developer", intent=Intent(acting(alice), at=now)
    )
    revoked, given = audit.events_of(shop, subject_kind="user", subject="bob")[:2]
    assert (given.event, given.actor) == ("grant.given", "alice")
    assert given.after_document == {"role": "developer", "environment": "all"}
    assert (revoked.event, revoked.actor) == ("grant.revoked", "alice")
    assert revoked.before_document == {"role": "viewer", "environment": "all"}


def test_set_role__last_admin__stays_admin(shop: Project, alice: User, now: datetime) -> None:
    with pytest.raises(Invalid, match="Nobody could manage the members"):
        services.set_role(
            project=shop, user=alice, role="viewer", intent=Intent(acting(alice), at=now)
        )
    assert Grant.objects.get(project=shop, user=alice).role == "project_admin"


def test_remove_member__last_admin__stays(
    shop: Project, alice: User, bob: User, now: datetime
) -> None:
    with pytest.raises(Invalid, match="Nobody could manage the members"):
        services.remove_member(project=shop, user=alice, intent=Intent(acting(alice)))
    services.set_role(
        project=shop, user=bob, role="project_admin", intent=Intent(acting(alice), at=now)
    )
    services.remove_member(project=shop, user=alice, intent=Intent(acting(bob)))
    assert not Grant.objects.filter(project=shop, user=alice).exists()


def test_visible_to__each_person__sees_their_own_projects(
    shop: Project, garden: Project, root: User
) -> None:
    seen = {
        name: set(Project.objects.visible_to(User.objects.get(username=name)))
        for name in ("alice", "bob", "charlie", "root")
    }
    assert seen == {
        "alice": {shop},
        "bob": {shop},
        "charlie": {garden},
        "root": {shop, garden},
    }
