"""Segments and exclusion groups on their way to the evaluators."""

import pytest

from flags.delivery.publisher import STREAM_ENTRY_BYTES, Publisher
from flags.segments.key_lists import Mode
from portal.access.models import User
from tests.support.bench import Bench
from tests.support.shelf import Shelf

pytestmark = pytest.mark.postgresql


def test_a_toggle__beside_a_large_segment__carries_the_flag_alone(
    bench: Bench, alice: User, publisher: Publisher, shelf: Shelf
) -> None:
    segment = bench.segment(included=[f"user-{n}" for n in range(STREAM_ENTRY_BYTES // 10)])
    bench.group()
    place = bench.desk.environment.pk
    publisher.publish(place)
    shelf.assert_current()
    bench.desk.switch(alice, True)
    publisher.publish(place)
    assert set(shelf.changes(shelf.entries()[-1])) == {"flag/new-checkout"}
    bench.keys(segment, alice, "user-1", mode=Mode.REMOVE)
    publisher.publish(place)
    assert shelf.entries()[-1].changes is None
    bench.delete(segment, alice)
    publisher.publish(place)
    assert shelf.changes(shelf.entries()[-1]) == {"segment/beta": None}
    shelf.assert_current()
