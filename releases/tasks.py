from datetime import timedelta

from portal.lib import clock
from portal.runs import jobs, worker
from releases import demo
from releases.core import outside, runner
from releases.telemetry import storing


@worker.look(lane="releases", every_s=1)
def tick_releases() -> None:
    runner.tick_due()


@worker.look(lane="hanging releases", every_s=1)
def tick_hanging_releases() -> None:
    runner.tick_hanging()


@worker.look(lane="terminations")
def tell_terminations() -> None:
    outside.terminate_due()


@jobs.every(timedelta(minutes=5))
def roll_up_outcomes() -> None:
    """Make minutes of outcomes that are two hours old, and forget the oldest."""
    storing.roll_up(now=clock.now())


@jobs.every(timedelta(seconds=5))
def carry_on_with_the_demo() -> None:
    """Send a few users to what the demo releases, and begin it anew every hour."""
    demo.carry_on()
