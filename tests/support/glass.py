"""Breaking glass in tests, and letting its time be over."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from portal.access.models import Environment, User
from portal.approvals import services
from portal.approvals.models import Emergency, Policy
from portal.lib import clock
from portal.lib.journal import WriteOptions
from tests.support.desk import Desk

GLASS = WriteOptions(break_glass=True)
REASON = "checkout is down"


def break_glass(desk: Desk, person: User, **changes: Any) -> Emergency:
    desk.save(person, break_glass=True, reason=REASON, **changes)
    return Emergency.objects.latest("pk")


def end(*chosen: Emergency) -> None:
    """Let their time be over, and the worker come by."""
    past = clock.database_now() - timedelta(seconds=1)
    keys = [one.pk for one in chosen]
    due = Emergency.objects.filter(pk__in=keys)
    due.update(reverts_at=past, retry_at=None, leased_until=None)
    services.revert_due()


def end_all() -> None:
    end(*Emergency.objects.all())


@contextmanager
def without_policy(place: Environment) -> Iterator[None]:
    """What is done in here needs nobody."""
    policy = Policy.objects.get(environment=place)
    Policy.objects.all().delete()
    yield
    policy.save(force_insert=True)


def serve(variant: str) -> dict[str, str]:
    return {"variant": variant}
