"""The same request many times at one instant, each with a transaction of its own."""

from typing import cast

import pytest

from portal.access.models import Environment, Project
from portal.audit.models import AuditEvent
from tests.support import concurrently
from tests.support.people import boolean_flag
from tests.support.script import FLAGS, Response, Script, answer, issue

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_same_request__four_times_at_once__is_done_once_and_answered_alike(
    shop: Project, production: Environment
) -> None:
    token = issue(production)

    def send() -> Response:
        return Script(token).post(FLAGS, boolean_flag("cart"), Idempotency_Key="a-1")

    responses = [cast(Response, one) for one in concurrently.run(send, send, send, send)]
    documents = [answer(response, 201) for response in responses]
    # Whether it is live by now is said where it was done, and is no part of the answer kept.
    assert [document.pop("published", None) is None for document in documents].count(False) == 1
    assert [one == documents[0] for one in documents] == [True] * 4
    assert sum("Idempotency-Replayed" in response for response in responses) == 3
    assert AuditEvent.objects.filter(event="flag.created").count() == 1
