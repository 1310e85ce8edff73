"""``Idempotency-Key``: a write that is sent again is not done again."""

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest

from flags.core import definitions
from flags.models import Flag
from portal.access.models import Environment, KeptAnswer
from portal.access.tasks import forget_answers
from portal.approvals.models import ChangeRequest
from portal.audit.models import AuditEvent
from tests.support.people import boolean_flag
from tests.support.rows import everything_kept
from tests.support.script import FLAGS, PRODUCTION, Script, answer, issue, problem, serve_only_in

pytestmark = pytest.mark.postgresql

ON = {"enabled": True}


def keyed(name: str = "a-1", **headers: str) -> dict[str, Any]:
    return {"Idempotency_Key": name, **headers}


def test_the_same_again__is_answered_as_before_and_done_once(script: Script) -> None:
    first = script.post(FLAGS, boolean_flag("cart"), **keyed())
    after = everything_kept()
    again = script.post(FLAGS, boolean_flag("cart"), **keyed())
    assert answer(again, 201) == answer(first, 201)
    assert (again["ETag"], again["Location"]) == (first["ETag"], first["Location"])
    assert (again["Idempotency-Replayed"], "Idempotency-Replayed" in first) == ("true", False)
    assert everything_kept() == after


def test_the_same_again__in_another_order_of_fields__is_the_same(script: Script) -> None:
    body = boolean_flag("cart")
    script.post(FLAGS, body, **keyed())
    turned = dict(reversed(body.items()))
    assert script.post(FLAGS, turned, **keyed())["Idempotency-Replayed"] == "true"


def test_an_answer_without_a_body__is_given_again(
    script: Script, production: Environment, flag: str
) -> None:
    serve_only_in(production)
    for replayed in (False, True):
        response = script.call("DELETE", f"{FLAGS}/{flag}", **keyed())
        assert (response.status_code, response.content) == (204, b"")
        assert ("Idempotency-Replayed" in response) is replayed


def test_another_request__under_the_same_key__is_422_and_changes_nothing(
    script: Script, flag: str
) -> None:
    script.call("PATCH", f"{FLAGS}/{flag}", {"owner": "A"}, **keyed())
    before = everything_kept()
    others = [
        script.call("PATCH", f"{FLAGS}/{flag}", {"owner": "B"}, **keyed()),
        script.call("PATCH", f"{FLAGS}/{flag}", {"owner": "A"}, **keyed(if_match='"2"')),
        script.call("DELETE", f"{FLAGS}/{flag}", **keyed()),
        script.post(FLAGS, {"owner": "A"}, **keyed()),
    ]
    for response in others:
        problem(response, 422)
    assert everything_kept() == before


def test_the_same_key__shown_by_another_api_key__is_another_request(
    script: Script, production: Environment, flag: str
) -> None:
    script.call("PATCH", f"{FLAGS}/{flag}", {"owner": "A"}, **keyed())
    other = Script(issue(production))
    response = other.call("PATCH", f"{FLAGS}/{flag}", {"owner": "B"}, **keyed())
    assert answer(response)["owner"] == "B"


def test_a_refusal__is_given_again(script: Script, flag: str) -> None:
    body = boolean_flag(flag)
    first = problem(script.post(FLAGS, body, **keyed()), 400)
    again = script.post(FLAGS, body, **keyed())
    assert problem(again, 400) == first
    assert again["Idempotency-Replayed"] == "true"


def test_a_change_that_waits__waits_once_and_says_so_again(
    guarded: Environment, new_checkout: Flag
) -> None:
    script = Script(issue(guarded))
    address = f"{PRODUCTION}/flags/{new_checkout.key}"
    tag = script.get(address)["ETag"]
    first = problem(script.call("PATCH", address, ON, **keyed(if_match=tag)), 409)
    again = script.call("PATCH", address, ON, **keyed(if_match=tag))
    assert problem(again, 409) == first
    assert again["Idempotency-Replayed"] == "true"
    assert first["change_request"]["id"] == ChangeRequest.objects.get().pk


@pytest.mark.parametrize("name", ["", " ", "a b", "x" * 201, "é", "a\tb"])
def test_a_key_that_is_none__is_named(script: Script, name: str) -> None:
    refused = problem(script.post(FLAGS, boolean_flag(), **keyed(name)), 400)
    assert [error["path"] for error in refused["errors"]] == ["Idempotency-Key"]
    assert not Flag.objects.exists()


def test_a_worker_that_dies_before_the_answer__has_done_nothing(script: Script) -> None:
    """The answer is kept in the transaction of the effect: neither is there without the other."""
    before = everything_kept()
    with (
        mock.patch("portal.access.api.scope._keep", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        script.post(FLAGS, boolean_flag("cart"), **keyed())
    assert everything_kept() == before
    answer(script.post(FLAGS, boolean_flag("cart"), **keyed()), 201)
    assert AuditEvent.objects.filter(event="flag.created").count() == 1


def test_a_fault_of_ours__is_not_kept(script: Script) -> None:
    script.client.raise_request_exception = False
    with mock.patch.object(definitions, "create_flag", side_effect=RuntimeError("lost")):
        problem(script.post(FLAGS, boolean_flag("cart"), **keyed()), 500)
    assert not KeptAnswer.objects.exists()
    answer(script.post(FLAGS, boolean_flag("cart"), **keyed()), 201)


def test_a_read__takes_no_notice_of_the_key(script: Script, flag: str) -> None:
    answer(script.get(f"{FLAGS}/{flag}", **keyed()))
    assert not KeptAnswer.objects.exists()


def test_after_a_day__the_key_is_free_and_the_answer_forgotten(script: Script, flag: str) -> None:
    script.call("PATCH", f"{FLAGS}/{flag}", {"owner": "A"}, **keyed())
    script.call("PATCH", f"{FLAGS}/{flag}", {"owner": "B"}, **keyed("b-1"))
    old = KeptAnswer.objects.get(name="a-1")
    old.kept_at -= timedelta(days=1)
    old.save(update_fields=["kept_at"])
    answered = script.call("PATCH", f"{FLAGS}/{flag}", {"owner": "C"}, **keyed())
    assert answer(answered)["owner"] == "C"
    KeptAnswer.objects.filter(name="a-1").update(kept_at=old.kept_at)
    forget_answers()
    assert [one.name for one in KeptAnswer.objects.all()] == ["b-1"]
