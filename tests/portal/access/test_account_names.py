"""No two accounts have names that people take for one another."""

import importlib
from datetime import datetime

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client

from portal.access import selectors, services
from portal.access.models import Project, User
from portal.access.permissions import BuiltinRole
from portal.access.signin import throttle
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from tests.support import concurrently
from tests.support.people import PASSWORD, SETTING_UP, acting, client_of, create_person

pytestmark = pytest.mark.django_db
LIKE_ALICE = ["Alice", "\uff41\uff4c\uff49\uff43\uff45", "\u0430lice", "a\u200dlice", "aIice"]
CYRILLIC_ALONE = "\u0430\u0441\u0435"  # reads “ace”


@pytest.fixture
def zoe(db: None) -> User:
    """A site administrator."""
    return services.create_user(
        username="zoe", password=PASSWORD, intent=Intent(SETTING_UP), is_superuser=True
    )


def older_account(username: str) -> User:
    """An account from before names were compared: it clashes, and has no keys."""
    user = create_person("for-now")
    User.objects.filter(pk=user.pk).update(username=username, name_key=None, name_look=None)
    user.refresh_from_db()
    return user


def sign_in(name: str, password: str = PASSWORD) -> int:
    return Client().post("/sign-in", {"username": name, "password": password}).status_code


@pytest.mark.parametrize("name", LIKE_ALICE)
def test_create__name_that_looks_like_another__is_refused(alice: User, name: str) -> None:
    with pytest.raises(Invalid):
        create_person(name)
    assert User.objects.count() == 1


def test_create__other_script_that_looks_the_same__names_the_other_account(db: None) -> None:
    create_person("ace")
    with pytest.raises(Invalid, match="can be taken for the account “ace”"):
        create_person(CYRILLIC_ALONE)


def test_create__wide_letters__are_kept_as_plain_ones(db: None) -> None:
    assert create_person("\uff53\uff41\uff4d").username == "sam"
    with pytest.raises(Invalid, match="username: "):
        create_person("\ufdfa" * 150)  # each is eighteen plain ones


def test_create__straight_into_the_table__is_refused_by_the_database(alice: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(username="ALICE")


def test_roads__invitation_member_page_and_command__all_refuse(
    alice: User, shop: Project, now: datetime
) -> None:
    sent = services.create_invitation(
        project=shop, role=BuiltinRole.VIEWER, intent=Intent(acting(alice), at=now)
    )
    fields = {"username": "Alice", "password": PASSWORD, "password_again": PASSWORD}
    joined = Client().post(f"/invitation/{sent.token}", fields)
    assert joined.status_code == 422
    assert "can be taken for the account “alice”" in joined.content.decode()
    fields = {"username": "aIice", "role": BuiltinRole.VIEWER}
    added = client_of(alice).post("/p/shop/members/new", fields)
    assert added.status_code == 422
    assert "can be taken for the account “alice”" in added.content.decode()
    with pytest.raises(CommandError, match="can be taken for the account “alice”"):
        call_command("createsuperuser", "aLICE")


@pytest.mark.django_db(transaction=True)
def test_create__two_at_once__one_wins_and_the_other_is_told() -> None:
    names = ["sam", "Sam", "SAM", "sAm"]
    found = concurrently.run(*[lambda name=name: create_person(name) for name in names])
    refused = [one for one in found if isinstance(one, Exception)]
    assert len(refused) == 3
    assert all(isinstance(one, Invalid) and "can be taken for" in str(one) for one in refused)
    assert User.objects.count() == 1


def test_sign_in__name_in_another_case__is_that_account(alice: User) -> None:
    assert sign_in("ALICE") == 302


def test_sign_in__accounts_that_clash_already__go_by_their_exact_names(db: None) -> None:
    create_person("sam")
    second = older_account("Sam")
    second.set_password("another-password")
    second.save()
    assert [sign_in("sam"), sign_in("Sam", "another-password")] == [302, 302]
    assert [sign_in("Sam"), sign_in("SAM", "another-password")] == [200, 200]


def test_sign_in__clashing_account_that_signs_in__does_not_reset_the_other_ones_limit(
    db: None,
) -> None:
    create_person("sam")
    older_account("Sam")
    for _ in range(throttle.PAIR.failures):
        assert sign_in("sam", "wrong") == 200
        assert sign_in("Sam") == 302
    assert sign_in("sam") == 429


def test_people__accounts_that_clash__are_listed_until_one_is_deactivated(zoe: User) -> None:
    create_person("sam")
    second = older_account("s\u0430m")
    third = older_account("SAM")
    ((user, others), (last, _others)) = selectors.clashing_accounts()
    assert [user, last] == [third, second]
    assert {one.username for one in others} == {"sam", "s\u0430m"}
    page = client_of(zoe).get("/people/").content.decode()
    assert "Accounts with names that look the same" in page
    assert 'href="/people/SAM/"' in page
    User.objects.filter(pk__in=[second.pk, third.pk]).update(is_active=False)
    assert "look the same" not in client_of(zoe).get("/people/").content.decode()


def test_migration__accounts_that_clash__leave_the_oldest_with_the_key(db: None) -> None:
    for name in ("bob", "Bob", "\uff42\uff4f\uff42", "alice"):
        older_account(name)
    migration = importlib.import_module("portal.access.migrations.0011_account_names")
    migration.fill(apps, None)
    found = User.objects.order_by("pk").values_list("username", "name_key", "name_look")
    assert list(found) == [
        ("bob", "bob", "bob"),
        ("Bob", None, None),
        ("\uff42\uff4f\uff42", None, None),
        ("alice", "alice", "alice"),
    ]
    with pytest.raises(Invalid, match="can be taken for the account “bob”"):
        create_person("BOB")
