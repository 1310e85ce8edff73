from datetime import timedelta

from portal.lib import clock
from portal.runs import jobs
from releases import demo
from releases.alerts import services as alerts
from releases.core import outside_routers, runner
from releases.telemetry import points, storing


@jobs.look(lane="releases", every_s=1)
def tick_releases() -> None:
    runner.tick_due()


@jobs.look(lane="hanging releases", every_s=1)
def tick_hanging_releases() -> None:
    runner.tick_hanging()


@jobs.look(lane="terminations")
def tell_terminations() -> None:
    outside_routers.terminate_due()


@jobs.every(timedelta(minutes=5))
def roll_up_outcomes() -> None:
    """Make minutes of outcomes that are two hours old, and forget the oldest."""
    storing.roll_up(now=clock.now())
    points.forget(now=clock.now())


@jobs.every(timedelta(days=1))
def forget_alerts() -> None:
    alerts.forget_old(at=clock.now())


@jobs.every(timedelta(seconds=5))
def carry_on_with_the_demo() -> None:
    """Send a few users to what the demo releases, and begin it anew every hour."""
    demo.carry_on()
