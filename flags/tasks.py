"""What the worker does for flags."""

from datetime import UTC, datetime, timedelta

from django.db import IntegrityError
from django.db.models import F
from redis import RedisError

from flags.services import counting, plans, reminding, sampling
from flags.snapshots import relay
from portal.access import services as access
from portal.access.models import EnvironmentChange
from portal.lib import clock
from portal.runs import jobs, worker

# The relay needs a change for as long as Redis may come back with an older state; after that it
# publishes in full, which is only slower.
KEEP_CHANGES = timedelta(days=1)
# One transaction each: others want to write too.
BATCHES_AT_ONCE = 50


@jobs.every(timedelta(seconds=10))
def publish_all() -> None:
    """Publish what is behind, in case no relay process runs."""
    try:
        relay.sweep()
        relay.look_around()
    except RedisError:
        return  # the next time tries again; the relay logs it


@jobs.every(timedelta(hours=1))
def forget_old_changes() -> None:
    """Drop word of changes that Redis has long had.

    An environment's last change stays: by it the relay tells what Redis holds from what another
    history had at the same version.
    """
    old = EnvironmentChange.objects.filter(changed_at__lt=clock.now() - KEEP_CHANGES)
    old.exclude(version=F("environment__version")).delete()


@jobs.every(timedelta(seconds=15))
def keep_key_use() -> None:
    """Take over from Redis when evaluators saw which key."""
    try:
        used = relay.read_keys_used()
    except RedisError:
        return  # nothing is lost: the evaluators and Redis keep it until the next time
    instants = {selector: datetime.fromtimestamp(at, UTC) for selector, at in used.items()}
    access.note_uses(used_at=instants, now=clock.now())


@jobs.every(timedelta(seconds=5))
def keep_usage() -> None:
    """Take over from Redis what evaluators counted, oldest first, until there is no more."""
    try:
        while batches := relay.read_usage(BATCHES_AT_ONCE):
            counting.take_batches(batches=filter(None, batches.values()), now=clock.now())
            relay.forget_usage(batches)
    except (RedisError, IntegrityError):
        return  # Redis is away, or another worker is here; it is all there the next time


@jobs.every(timedelta(hours=1))
def forget_old_usage() -> None:
    """Drop counts that nobody looks at any more."""
    counting.forget_old_usage(now=clock.now())


@jobs.every(timedelta(seconds=15))
def keep_samples() -> None:
    """Take over from Redis what evaluators were asked with, and drop what is a day old."""
    sampling.forget_old_samples(now=clock.now())
    try:
        while batches := relay.read_samples(BATCHES_AT_ONCE):
            sampling.take_samples(batches=filter(None, batches.values()), now=clock.now())
            relay.forget_samples(batches)
    except (RedisError, IntegrityError):
        return  # Redis is away, or another worker is here


@jobs.every(timedelta(hours=1))
def remind_owners() -> None:
    """Tell owners of flags that have done their work."""
    reminding.remind_owners()


@worker.look()
def carry_out_plans() -> None:
    """Carry out what is due of schedules and ramps."""
    plans.carry_out_due()
