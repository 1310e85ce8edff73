"""Stopping at any moment, the one between two steps of starting included."""

import signal

from portal.supervisor.supervised import Process, Supervised, Supervisor


def test_ended__never_started__is_so() -> None:
    supervised = Supervised(Process("sleeper", ["sleep", "60"]))
    supervised.signal(signal.SIGTERM)
    assert supervised.ended_within(1)


def test_stop__signal_came_before_the_last_process_was_started__ends_the_others() -> None:
    supervisor = Supervisor()
    for name in ("first", "second"):
        supervisor.start(Process(name, ["sleep", "60"]))
    first, second = supervisor._running
    supervisor._running.append(Supervised(Process("third", ["sleep", "60"])))
    supervisor.stop()
    assert first.ended_within(0)
    assert second.ended_within(0)
