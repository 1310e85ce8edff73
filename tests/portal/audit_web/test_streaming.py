"""A large export is made while it is sent."""

import tracemalloc
from itertools import islice

import pytest
from django.test import Client

from bench import trail
from portal.access.models import Project
from portal.audit.models import AuditEvent
from portal.lib import clock
from tests.portal.audit_web.conftest import LIST

pytestmark = pytest.mark.postgresql

ROWS = 12_000


def test_export__12000_rows__holds_few_of_them_and_none_that_come_later(
    alice_client: Client, shop: Project
) -> None:
    trail.append(ROWS, now=clock.now())
    last = AuditEvent.objects.latest("sequence").sequence
    mine = AuditEvent.objects.filter(project="shop", sequence__lte=last).count()
    response = alice_client.post(f"{LIST}export", {"format": "jsonl"})
    pieces = iter(response.streaming_content)  # type: ignore[attr-defined]
    lines = sum(piece.count(b"\n") for piece in islice(pieces, 5))
    tracemalloc.start()
    sent = 0
    for piece in islice(pieces, 60):
        lines += piece.count(b"\n")
        sent += len(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    lines += sum(piece.count(b"\n") for piece in pieces)
    assert lines == mine + 1  # the manifest; not the record of the export itself
    assert sent > 3_900_000
    assert peak < 3_000_000
