"""What was approved in a freeze, and what becomes of it when the freeze is over."""

import json
from dataclasses import replace

import pytest

from portal.access import services as access
from portal.access.models import Project, User
from portal.approvals import services
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest
from portal.approvals.services import votes
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.support.agreeing import asking, vote
from tests.support.desk import Desk
from tests.support.freezing import end_freeze, freeze_now
from tests.support.people import SETTING_UP, boolean_flag, create_flag

pytestmark = pytest.mark.postgresql


def test_the_last_vote_in_a_freeze__stays_and_the_end_of_the_freeze_applies_it(
    desk: Desk, asked: ChangeRequest, erin: User, frank: User
) -> None:
    freeze = freeze_now(desk.environment)
    vote(asked, erin)
    voted = vote(asked, frank)
    assert voted.request.is_open
    assert "Production is frozen by “Weekend”" in voted.problem
    assert asked.votes.count() == 2
    assert services.apply_waiting() == 0
    assert not desk.configuration.enabled
    end_freeze(freeze)
    services.apply_waiting()
    assert desk.configuration.document == asked.after
    held, applied, enabled = list(
        AuditEvent.objects.order_by("sequence").values_list("event", flat=True)
    )[-3:]
    assert (held, applied) == ("change_request.held", "change_request.applied")
    assert enabled == "flag.enabled"
    row = AuditEvent.objects.get(event="change_request.applied")
    assert (row.actor_kind, row.actor) == ("system", "end of freeze")
    assert [one["person"] for one in json.loads(row.after)["approved_by"]] == ["erin", "frank"]
    assert services.apply_waiting() == 0


def test_a_held_request__whose_voter_lost_the_role__is_not_applied_and_says_so_once(
    desk: Desk, shop: Project, asked: ChangeRequest, erin: User, frank: User
) -> None:
    freeze = freeze_now(desk.environment)
    vote(asked, erin)
    vote(asked, frank)
    access.set_role(project=shop, user=erin, role="viewer", intent=Intent(SETTING_UP, at=desk.now))
    end_freeze(freeze)
    for _again in range(2):
        services.apply_waiting()
    assert not desk.configuration.enabled
    (row,) = AuditEvent.objects.filter(event="change_request.not_applied")
    assert "1 more approval is needed" in row.reason


def test_a_held_request__that_is_edited__waits_for_votes_again(
    desk: Desk, asked: ChangeRequest, dana: User, erin: User, frank: User
) -> None:
    freeze = freeze_now(desk.environment)
    vote(asked, erin)
    vote(asked, frank)
    with pytest.raises(Waiting):
        desk.save(dana, revise=asked.pk, enabled=True)
    end_freeze(freeze)
    assert services.apply_waiting() == 0
    assert not desk.configuration.enabled


def test_a_held_request_that_breaks__is_tried_again_and_holds_up_no_other(
    desk: Desk,
    asked: ChangeRequest,
    dana: User,
    erin: User,
    frank: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    freeze = freeze_now(desk.environment)
    cart = replace(desk, flag=create_flag(desk.flag.project, boolean_flag("cart")))
    other = asking(f"request of {dana.pk} for the cart", lambda: cart.switch(dana, True))
    for request in (asked, other):
        vote(request, erin)
        vote(request, frank)
    end_freeze(freeze)
    apply = votes.apply_as_asked

    def break_one(*, request: ChangeRequest, intent: Intent) -> ChangeRequest:
        if request.pk == asked.pk:
            raise ZeroDivisionError
        return apply(request=request, intent=intent)

    with monkeypatch.context() as patch:
        patch.setattr(votes, "apply_as_asked", break_one)
        services.apply_waiting()
    other.refresh_from_db()
    asked.refresh_from_db()
    assert not other.is_open
    assert (asked.is_open, asked.failures, asked.held_at is not None) == (True, 1, True)
    ChangeRequest.objects.update(retry_at=None)
    services.apply_waiting()
    asked.refresh_from_db()
    assert not asked.is_open
