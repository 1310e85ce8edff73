"""What is read under a lock is read once, and never after the lock was let go."""

from contextlib import suppress

import pytest
from django.db import transaction

from portal.access import authority, outbox
from portal.access.models import Grant, Project, User
from portal.access.permissions import Permission
from portal.lib import clock

EDIT = Permission.FLAG_EDIT


def may_edit(user: User, project: Project) -> bool:
    return EDIT in authority.permissions_of_user(user, project)


def give(user: User, project: Project) -> Grant:
    moment = clock.now()
    return Grant.objects.create(project=project, user=user, role="developer", given_at=moment)


class Undone(Exception):
    """Takes back what was done in a savepoint."""


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
class TestHeld:
    """In transactions that end, as those of the product do."""

    def test_holdings__under_the_lock__are_read_once(
        self, shop: Project, charlie: User, django_assert_num_queries: object
    ) -> None:
        with transaction.atomic():
            outbox.lock_people(shop)
            may_edit(charlie, shop)
            with django_assert_num_queries(0):  # type: ignore[operator]
                assert not may_edit(charlie, shop)

    def test_holdings__changed_by_who_holds_the_lock__are_read_anew(
        self, shop: Project, charlie: User
    ) -> None:
        with transaction.atomic():
            outbox.lock_people(shop)
            assert not may_edit(charlie, shop)
            grant = give(charlie, shop)
            assert may_edit(charlie, shop)
            grant.delete()
            assert not may_edit(charlie, shop)

    def test_holdings__change_is_taken_back_with_its_savepoint__are_read_anew(
        self, shop: Project, charlie: User
    ) -> None:
        with transaction.atomic():
            outbox.lock_people(shop)
            with suppress(Undone), transaction.atomic():
                give(charlie, shop)
                outbox.lock_people(shop)
                assert may_edit(charlie, shop)
                raise Undone
            assert not may_edit(charlie, shop)

    @pytest.mark.parametrize("ends", ["with a commit", "with a rollback"])
    def test_holdings__changed_past_signals_once_the_lock_is_let_go__are_read_anew(
        self, shop: Project, charlie: User, ends: str
    ) -> None:
        grant = give(charlie, shop)
        with suppress(Undone), transaction.atomic():
            outbox.lock_people(shop)
            assert may_edit(charlie, shop)
            if ends == "with a rollback":
                raise Undone
        Grant.objects.filter(pk=grant.pk).update(role="viewer")
        assert not may_edit(charlie, shop)
        with transaction.atomic():
            assert not may_edit(charlie, shop)
