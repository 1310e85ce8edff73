"""Requests, votes and emergencies changed past the product: ``verifyaudit`` names each."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from pytest_django import Settings

from portal.access import authority, services as access
from portal.access.models import Environment, User
from portal.approvals import services
from portal.approvals.errors import Waiting
from portal.approvals.freezes import services as freeze_services
from portal.approvals.freezes.models import FreezeWindow
from portal.approvals.models import (
    ChangeRequest,
    Editor,
    Emergency,
    EmergencyLog,
    State,
    Verdict,
    Vote,
)
from portal.audit import anchors, selectors, services as audit, states
from portal.audit.models import AuditEvent
from portal.lib import clock, journal
from portal.lib.journal import Intent, Trace
from tests.support import append_only
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.desk import RULE, Desk
from tests.support.freezing import a_freeze, freeze_document
from tests.support.people import SETTING_UP, acting

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]  # jsonb spells numbers itself


def found() -> list[str]:
    return [str(drift) for drift in states.find_drifts()]


def ask(change: Callable[[], object]) -> ChangeRequest:
    with pytest.raises(Waiting) as error:
        change()
    return waiting(error)


@pytest.fixture
def asked(desk: Desk, guarded: Environment, alice: User, dana: User, erin: User) -> ChangeRequest:
    """Dana's open request about rules, which a key of Alice's edited and Erin approved since."""
    asked = ask(lambda: desk.save(dana, rules=[RULE]))
    vote(asked, erin)
    key = access.issue_key(
        environment=guarded, kind="admin", name="CI", intent=Intent(acting(alice), at=desk.now)
    ).key
    by_key = authority.key_actor(key, Trace())
    ask(lambda: desk.save(by_key, rules=[RULE, RULE | {"id": "r-2"}], revise=asked.pk))
    vote(asked, erin)
    asked.refresh_from_db()
    return asked


@pytest.fixture
def decided(
    asked: ChangeRequest, desk: Desk, alice: User, dana: User, erin: User, frank: User
) -> None:
    """Requests that ended in each way, and emergencies: one under way, two that ended."""
    place, now = desk.environment, desk.now
    taken_back = ask(lambda: desk.switch(dana, True))
    services.withdraw_request(request=taken_back, intent=Intent(acting(dana), at=now))
    rejected = ask(lambda: desk.switch(dana, True))
    vote(rejected, erin, Verdict.REJECT)
    done = ask(lambda: desk.switch(alice, True))
    vote(done, erin)
    services.withdraw_vote(request=done, intent=Intent(acting(erin)))
    vote(done, erin)
    vote(done, frank)
    freeze = a_freeze(desk.flag.project, name="First")
    freeze_services.cancel_freeze(freeze=freeze, intent=Intent(SETTING_UP, at=now))
    freeze = a_freeze(desk.flag.project)
    freeze_services.edit_freeze(
        freeze=freeze,
        document=freeze_document(environments=["production", "development"]),
        expected_version=1,
        intent=Intent(SETTING_UP, at=now),
    )
    unowned = ask(lambda: desk.save(journal.system("a command"), rules=[RULE]))
    services.adopt_request(request=unowned, intent=Intent(acting(dana), at=now))
    glass = TWO_ROLES | {"break_glass": ["devops_lead"]}
    place.policy.delete()
    set_policy(place, **glass)
    for end in (services.confirm_emergency, services.revert_emergency, None):
        desk.switch(frank, False)
        desk.switch(frank, True, break_glass=True, reason="down")
        emergency = Emergency.objects.latest("pk")
        if end:
            end(emergency=emergency, intent=Intent(acting(erin), at=now))
            services.review_emergency(
                emergency=emergency, text="fine", intent=Intent(acting(erin), at=now)
            )


def one_open() -> ChangeRequest:
    return ChangeRequest.objects.filter(state=State.OPEN).earliest("pk")


def of_open(**fields: object) -> str:
    asked = one_open()
    ChangeRequest.objects.filter(pk=asked.pk).update(**fields)
    return f"change request {asked.pk} in shop: it is not what row"


def someone(name: str) -> User:
    return User.objects.get(username=name)


def vote_for_another() -> str:
    asked = one_open()
    Vote.objects.create(
        request=asked,
        user=someone("frank"),
        verdict=Verdict.APPROVE,
        digest=asked.digest,
        at=clock.now(),
    )
    return f"change request {asked.pk} in shop: it is not what row"


def change_a_vote() -> str:
    rejected = ChangeRequest.objects.get(state=State.REJECTED)
    rejected.votes.update(verdict=Verdict.APPROVE)
    return f"change request {rejected.pk} in shop: it is not what row"


def take_a_vote_away() -> str:
    done = ChangeRequest.objects.filter(votes__user__username="frank").earliest("pk")
    done.votes.filter(user__username="frank").delete()
    return f"change request {done.pk} in shop: it is not what row"


def take_the_editors_away() -> str:
    Editor.objects.all().delete()
    return f"change request {one_open().pk} in shop: it is not what row"


def ask_elsewhere() -> str:
    asked = one_open()
    asked.environments.set(asked.project.environments.filter(key="staging"))
    return f"change request {asked.pk} in shop: it is not what row"


def make_a_request_up() -> str:
    made_up = one_open()
    made_up.pk = None
    made_up.save()
    return f"change request {made_up.pk} in shop: no row says where it comes from"


def of_emergency(**fields: object) -> str:
    running = Emergency.objects.latest("pk")
    Emergency.objects.filter(pk=running.pk).update(**fields)
    return f"emergency change {running.request_id} in shop: it is not what row"


def forge_a_review() -> str:
    reviewed = Emergency.objects.exclude(reviewed_at=None).earliest("pk")
    Emergency.objects.filter(pk=reviewed.pk).update(review="perfect")
    return f"emergency change {reviewed.request_id} in shop: it is not what row"


def have_it_go_back_elsewhere() -> str:
    EmergencyLog.objects.update(before={})
    return of_emergency()


def thaw() -> str:
    freeze = FreezeWindow.objects.get(cancelled_at=None)
    FreezeWindow.objects.update(ends="2098-12-24T16:01")
    return f"freeze {freeze.pk} in shop: it is not what row"


CHANGED_PAST_THE_PRODUCT: list[Callable[[], str]] = [
    lambda: of_open(after={}),
    lambda: of_open(before={}),
    lambda: of_open(digest="sha256:0"),
    lambda: of_open(permissions=[]),
    lambda: of_open(state=State.APPLIED),
    lambda: of_open(author_user=someone("frank")),
    lambda: of_open(author="mallory"),
    lambda: of_open(apply_when_approved=False),
    vote_for_another,
    change_a_vote,
    take_a_vote_away,
    take_the_editors_away,
    ask_elsewhere,
    make_a_request_up,
    lambda: of_emergency(confirmed_at=clock.now(), confirmed_by="erin"),
    lambda: of_emergency(reverts_at=clock.now() + timedelta(days=999)),
    lambda: of_emergency(superseded_at=clock.now()),
    forge_a_review,
    have_it_go_back_elsewhere,
    thaw,
]


def assert_each_is_named() -> None:
    for change in CHANGED_PAST_THE_PRODUCT:
        with transaction.atomic():
            expected = change()
            assert any(expected in line for line in found()), (expected, found())
            transaction.set_rollback(True)


def test_request_drift__by_the_product_none__past_it_each_is_named_also_after_a_purge(
    decided: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchors, "_sources", {})
    place = Environment.objects.get(key="production")
    place.policy.delete()
    set_policy(place, **TWO_ROLES, break_glass=["devops_lead"])
    assert found() == []
    assert_each_is_named()
    settings.AUDIT_RETENTION_DAYS = 30
    audit.purge(intent=Intent(journal.system("retention"), at=clock.now() + timedelta(days=31)))
    vote(one_open(), someone("frank"))
    assert found() == []


def rewrite(event: str, keep: Callable[[str], bool]) -> None:
    """Have rows say only what those of an older version said."""
    with append_only.lifted():
        for row in AuditEvent.objects.filter(event=event):
            after = {name: one for name, one in json.loads(row.after).items() if keep(name)}
            row.after = json.dumps(after)
            row.save(update_fields=["after"], force_update=True)


NEW_IN_ROWS = {
    "content_sha256",
    "owner",
    "editor",
    "verifier_sha256",
    "by_operator",
    "evidence_by",
    "governed_since",
}


def test_request_drift__rows_of_an_older_version__only_what_they_say_is_compared(
    decided: None,
) -> None:
    with append_only.lifted():
        AuditEvent.objects.filter(event="environment.governed").delete()
    for event in (
        "change_request.opened",
        "change_request.edited",
        "break_glass.used",
        "key.created",
        "environment.created",
    ):
        rewrite(event, lambda name: name not in NEW_IN_ROWS)
    ChangeRequest.objects.filter(pk=one_open().pk).update(after={}, author_user=None)
    assert [line for line in found() if not line.startswith("policy")] == []
    expected = change_a_vote()
    assert any(expected in line for line in found())


_NEW_SOURCES = ("change requests", "emergencies", "freezes")


def test_request_drift__purged_by_a_version_that_kept_nothing_of_requests__is_none(
    decided: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchors, "_sources", {})
    kept = [one for one in states._sources if one.name not in _NEW_SOURCES]
    with monkeypatch.context() as older:
        older.setattr(states, "_sources", kept)
        settings.AUDIT_RETENTION_DAYS = 30
        audit.purge(intent=Intent(journal.system("retention"), at=clock.now() + timedelta(days=31)))
    vote(one_open(), someone("frank"))
    assert [line for line in found() if not line.startswith("policy")] == []
    assert "change requests" not in (selectors.told_of() or ())
