"""A program that is deployed in tests: ``python -m tests.support.backend PORT VERSION NAME``.

It says its version and name at ``/`` and ``/ready``, and how it is at ``/health``. What its version
says is wrong with it: ``crashes`` ends it at once, ``sick`` is not well (``sick@s2`` only at s2),
``errors`` fails every third request, ``slow`` takes half a second for each, ``dies`` ends it five
seconds after its start.

With ``REPORT_TO`` in its environment (an evaluator, a service and a server key, by spaces) it tells
the evaluator each second what became of its requests; with ``REQUEST_LOG``, a folder, it writes
each down there: when, the status, and milliseconds.
"""

import json
import os
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

COMMAND: Final = [
    *(sys.executable, "-m", "tests.support.backend"),
    *("{port}", "{version}", "{place}"),
]
"""For a deployer, with what it fills in."""
# What answering takes, as an application's own work would.
USUAL_S: Final = 0.02
SLOW_S: Final = 0.5
DIES_S: Final = 5


class Requests:
    """What became of the requests of a version, as it is told and written down."""

    def __init__(self, version: str, name: str) -> None:
        self.version = version
        self._new: list[tuple[float, int, float]] = []
        self._lock = threading.Lock()
        self._to = os.environ.get("REPORT_TO", "").split()
        folder = os.environ.get("REQUEST_LOG")
        self._log = Path(folder) / f"{version}-{name}.log" if folder else None

    def add(self, at: float, status: int, ms: float) -> None:
        with self._lock:
            self._new.append((at, status, ms))

    def tell_on(self) -> None:
        while True:
            time.sleep(1)
            with self._lock:
                new, self._new = self._new, []
            if self._log and new:
                with self._log.open("a") as file:
                    file.writelines(f"{at} {status} {ms}\n" for at, status, ms in new)
            if self._to and new:
                self._report(new)

    def _report(self, new: list[tuple[float, int, float]]) -> None:
        evaluator, service, token = self._to
        about = {"service": service, "version": self.version}
        outcomes = [
            {**about, "at": at, "error": status >= 500, "duration_ms": ms} for at, status, ms in new
        ]
        request = urllib.request.Request(
            f"{evaluator}/api/v1/telemetry",
            json.dumps({"outcomes": outcomes}).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=5).close()


def main(port: int, version: str, name: str) -> None:
    """Serve on loopback until killed."""
    if "crashes" in version:
        sys.exit(3)
    if "dies" in version:
        threading.Timer(DIES_S, os._exit, [3]).start()
    is_sick = "sick" in version and ("@" not in version or f"sick@{name}" in version)
    requests = Requests(version, name)
    threading.Thread(target=requests.tell_on, daemon=True).start()
    body = json.dumps({"version": version, "name": name}).encode()
    count = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            nonlocal count
            began, at, status = time.monotonic(), time.time(), 200
            if self.path == "/":
                count += 1
                status = 500 if "errors" in version and not count % 3 else 200
                time.sleep(SLOW_S if "slow" in version else USUAL_S)
            elif self.path == "/health" and is_sick:
                status = 500
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            if self.path == "/":
                requests.add(at, status, 1000 * (time.monotonic() - began))

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    # Clients that go away are nothing to tell of.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
