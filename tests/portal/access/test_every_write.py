"""Every write of access against an audit trail that takes nothing: then nothing happens."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import pytest

from portal.access import services
from portal.access.models import Environment, Project, User
from portal.approvals.services import rights
from portal.lib import journal
from portal.lib.journal import Entry, Intent, Trace
from tests.support.people import SETTING_UP, acting, give_role
from tests.support.rows import everything_kept

pytestmark = pytest.mark.postgresql

NAME = "qa-two"
Write = Callable[[], object]


@pytest.fixture
def writes(
    shop: Project,
    production: Environment,
    alice: User,
    bob: User,
    charlie: User,
    now: datetime,
) -> dict[str, Write]:
    """A call that would succeed, for each service that writes."""
    key = services.issue_key(
        environment=production, kind="server", name="a", intent=Intent(SETTING_UP, at=now)
    ).key
    group = services.create_group(
        project=shop, key="team", name="Team", intent=Intent(SETTING_UP, at=now)
    )
    services.add_to_group(group=group, user=bob, intent=Intent(SETTING_UP))
    role = services.create_role(
        project=shop, key="helper", name="H", permissions=["flag.view"], intent=Intent(SETTING_UP)
    )
    scanner = services.issue_key(
        environment=production,
        kind="admin",
        name="s",
        evidence=["scan"],
        intent=Intent(SETTING_UP, at=now),
    ).key
    services.change_password(user=charlie, password="y" * 20, intent=Intent(acting(bob)))
    grant = give_role(shop, charlie, "viewer")
    to_take, to_join, to_revoke = (
        services.create_invitation(
            project=shop, role="viewer", intent=Intent(acting(alice), at=now)
        )
        for _one in range(3)
    )
    s = services
    by: dict[str, Any] = {"intent": Intent(SETTING_UP, at=now)}
    return {
        "accept_invitation": lambda: s.accept_invitation(
            token=str(to_take.token), user=charlie, trace=Trace(), now=now
        ),
        "add_member": lambda: s.add_member(project=shop, username="eve", role="viewer", **by),
        "add_to_group": lambda: s.add_to_group(group=group, user=charlie, **by),
        "change_password": lambda: s.change_password(user=bob, password="x" * 20, **by),
        "confirm_approver": lambda: s.confirm_approver(
            project=shop, person=charlie, intent=Intent(acting(alice))
        ),
        "confirm_key": lambda: s.confirm_key(key=scanner, intent=Intent(acting(alice))),
        "create_environment": lambda: s.create_environment(
            project=shop, key=NAME, kind="staging", **by
        ),
        "create_group": lambda: s.create_group(project=shop, key=NAME, name="Q", **by),
        "create_invitation": lambda: s.create_invitation(project=shop, role="viewer", **by),
        "create_project": lambda: s.create_project(key=NAME, name="Q", **by),
        "create_role": lambda: s.create_role(
            project=shop, key=NAME, name="Q", permissions=[], **by
        ),
        "create_user": lambda: s.create_user(username="eve", password="x" * 20, **by),
        "delete_group": lambda: s.delete_group(group=group, **by),
        "delete_role": lambda: s.delete_role(role=role, **by),
        "edit_environment": lambda: s.edit_environment(environment=production, name="P", **by),
        "edit_group": lambda: s.edit_group(group=group, name="Other", **by),
        "edit_project": lambda: s.edit_project(project=shop, name="Other", **by),
        "edit_key": lambda: s.edit_key(
            key=key, allowed_origins=[], rate_limit=5, burst_limit=None, **by
        ),
        "edit_role": lambda: rights.edit_role(role=role, name="Other", permissions=[], **by),
        "grant_role": lambda: s.grant_role(project=shop, to=bob, role="developer", **by),
        "issue_key": lambda: s.issue_key(environment=production, kind="server", name="b", **by),
        "join_by_invitation": lambda: s.join_by_invitation(
            token=str(to_join.token), username="eve", password="x" * 20, trace=Trace(), now=now
        ),
        "record_sign_in": lambda: s.record_sign_in(actor=SETTING_UP),
        "record_sign_out": lambda: s.record_sign_out(actor=SETTING_UP),
        "remove_from_group": lambda: s.remove_from_group(group=group, user=bob, **by),
        "remove_member": lambda: s.remove_member(project=shop, user=bob, **by),
        "renew_epoch": lambda: s.renew_epoch(
            environment_id=production.pk, seen_epoch="z", intent=Intent(SETTING_UP, "a restore")
        ),
        "reserve": lambda: rights.reserve(
            environment=production, permission="flag.edit", names=["developer"], **by
        ),
        "revoke_grant": lambda: s.revoke_grant(grant=grant, **by),
        "revoke_invitation": lambda: s.revoke_invitation(invitation=to_revoke.invitation, **by),
        "revoke_key": lambda: s.revoke_key(key=key, **by),
        "set_evidence": lambda: s.set_evidence(key=scanner, kinds=["load_test"], **by),
        "set_role": lambda: s.set_role(project=shop, user=bob, role="developer", **by),
    }


# What is no function, what only reads, what others call when they have asked who may, and notes of
# when a key was last used, which are nobody's doing.
NOT_WRITES = {"AddedMember", "InvitationOver", "IssuedKey", "NoSuchInvitation", "SentInvitation"}
NOT_WRITES |= {"NotByKeys"}
NOT_WRITES |= {"require_may_permit", "require_may_reserve", "checked_permissions"}
NOT_WRITES |= {"checked_names", "guess_kind", "names_reserved", "open_invitation"}
NOT_WRITES |= {"note_use", "note_uses", "store_role", "store_rule"}
# Two are governed, and stand above.
WRITES = sorted(set(services.__all__) - NOT_WRITES | {"edit_role", "reserve"})


def test_writes__of_the_services__are_all_here(writes: dict[str, Write]) -> None:
    assert sorted(writes) == WRITES


@pytest.mark.parametrize("name", WRITES)
def test_write__audit_trail_takes_nothing__changes_nothing(
    writes: dict[str, Write], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_entries: Iterable[Entry]) -> None:
        raise RuntimeError("the audit trail takes nothing")

    before = everything_kept()
    with monkeypatch.context() as patched:
        patched.setattr(journal, "_recorder", refuse)
        with pytest.raises(RuntimeError, match="takes nothing"):
            writes[name]()
    assert everything_kept() == before
    writes[name]()
    assert everything_kept() != before
