"""``manage.py relay``: keeps Redis at the database's version, and anchors, until it is stopped."""

import signal
import threading
from typing import Any

from flags.delivery import relay
from portal.audit import services as audit
from portal.lib.commands import ManageCommand


class Command(ManageCommand):
    help = "Publish every change to the evaluators and anchor the audit trail; any number may run."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        # A thread of its own: a Redis that hangs holds up no anchor, and a slow disk no change.
        anchoring = threading.Thread(target=audit.keep_anchoring, args=[stop])
        anchoring.start()
        relay.run(stop)
        anchoring.join()
