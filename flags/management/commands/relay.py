"""``manage.py relay``: keeps Redis at the database's version until it is stopped."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from flags.snapshots import relay


class Command(BaseCommand):
    help = "Publish every change to the evaluators; any number may run."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        relay.run(stop)
