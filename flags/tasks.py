"""What the worker does for flags."""

from datetime import timedelta

from celery import shared_task
from django.db.models import F
from redis import RedisError

from flags.delivery import intake, relay
from flags.schedules import runner
from flags.usage import counting, reminding, sampling
from portal.access.models import EnvironmentChange
from portal.lib import clock
from portal.runs import jobs

# The relay needs a change for as long as Redis may come back with an older state; after that it
# publishes in full, which is only slower.
KEEP_CHANGES = timedelta(days=1)


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


@jobs.every(timedelta(seconds=5))
def take_intake() -> None:
    """Take over from Redis what evaluators counted and saw, and drop samples of a day ago."""
    sampling.forget_old_samples(now=clock.now())
    intake.drain()


# A queue may hold the tasks of before.
for _name in ("keep_key_use", "keep_samples", "keep_usage"):
    shared_task(name=f"{__name__}.{_name}", ignore_result=True)(intake.drain)


@jobs.every(timedelta(hours=1))
def forget_old_usage() -> None:
    counting.forget_old_usage(now=clock.now())
    intake.forget_old_batches(now=clock.now())


@jobs.every(timedelta(hours=1))
def remind_owners() -> None:
    reminding.remind_owners()


@jobs.look()
def carry_out_plans() -> None:
    runner.carry_out_due()
