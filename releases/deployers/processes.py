"""A deployer that starts and stops programs on this machine: for demos, for trying a release out,
and as an example of what answers ``releases.deployers.webhook``.

``python -m releases.deployers.processes CONFIG`` serves it on loopback. CONFIG is JSON::

    {"port": 8300, "secret": "the one that the setup's page shows",
     "places": {"blue": {"port": 8301}, "green": {"port": 8302}},
     "command": ["python", "app.py", "--port", "{port}", "--version", "{version}"],
     "ready": "/ready"}

``{port}``, ``{place}``, ``{version}`` and ``{digest}`` are put into the command. A place is up once
it answers ``ready`` with a status below 400. What runs there is stopped by SIGTERM first, and after
ten seconds by SIGKILL. Calls that the secret has not signed, or older than five minutes, get 401.
"""

import contextlib
import hmac
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from releases.routers.signing import signature

STOPS_S: Final = 10
READY_S: Final = 30
OLD_S: Final = 300
_MOST_BODY = 65_536


@dataclass(slots=True)
class Place:
    """Where one program runs, and what was last started there."""

    port: int
    process: subprocess.Popen[bytes] | None = None
    artefact: dict[str, Any] | None = None
    before: dict[str, Any] | None = None


@dataclass(slots=True)
class Execution:
    status: str = "working"
    detail: str = ""
    is_ended: bool = False


@dataclass(slots=True)
class Processes:
    """What runs where, and the executions that were begun. Each is carried out in a thread."""

    command: list[str]
    ready: str
    places: dict[str, Place]
    executions: dict[str, Execution] = field(default_factory=dict)
    fences: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, config: dict[str, Any]) -> "Processes":
        places = {name: Place(int(one["port"])) for name, one in config["places"].items()}
        return cls(list(config["command"]), str(config.get("ready", "/")), places)

    def answer(self, call: dict[str, Any]) -> dict[str, Any]:
        """What is answered to one call; begins its order where it is new."""
        name = str(call["execution"])
        with self.lock:
            if call["action"] == "terminate":
                self.executions.setdefault(name, Execution("failed", "ended")).is_ended = True
                return {"status": "done"}
            known = self.executions.get(name)
            if known is None and call["action"] == "start" and self._is_newest(call):
                known = self.executions[name] = Execution()
                threading.Thread(target=self._carry_out, args=(call, known), daemon=True).start()
        if known is None:
            return {"status": "failed", "detail": "this execution was never begun here"}
        return {"status": known.status, "detail": known.detail}

    def _is_newest(self, call: dict[str, Any]) -> bool:
        release, fence = str(call["release"]), int(call["fence"])
        if fence < self.fences.get(release, 0):
            return False
        self.fences[release] = fence
        return True

    def stop_all(self) -> None:
        for place in self.places.values():
            _stop(place)

    def _carry_out(self, call: dict[str, Any], execution: Execution) -> None:
        names = call.get("instances") or [call["place"]]
        unknown = [name for name in names if name not in self.places]
        if unknown:
            execution.status, execution.detail = "failed", f"no place is called {unknown[0]}"
            return
        try:
            for done, name in enumerate(names):
                execution.detail = f"{done} of {len(names)} done"
                if execution.is_ended:
                    raise RuntimeError("it was ended")
                self._do(call["order"], self.places[name], name, call.get("artefact"))
        except Exception as fault:  # whatever it is, who asked has to be told
            execution.status, execution.detail = "failed", str(fault)
        else:
            execution.status, execution.detail = "done", ""

    def _do(self, order: str, place: Place, name: str, artefact: dict[str, Any] | None) -> None:
        _stop(place)
        if order == "retire":
            return
        wanted = place.before if order == "restore" else artefact
        if wanted is None:
            raise RuntimeError("nothing ran there before")
        place.before, place.artefact = place.artefact, wanted
        values = {"port": place.port, "place": name, **wanted}
        command = [part.format(**values) for part in self.command]
        place.process = subprocess.Popen(command)
        _wait_until_ready(place, self.ready)


def _stop(place: Place) -> None:
    process, place.process = place.process, None
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOPS_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_ready(place: Place, path: str) -> None:
    assert place.process is not None
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        if place.process.poll() is not None:
            raise RuntimeError(f"it ended with status {place.process.returncode}")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{place.port}{path}", timeout=2).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"it did not answer {path} within {READY_S} s")


def is_signed(secret: str, header: str, body: bytes, now: float) -> bool:
    """Whether a call was signed with the secret, and lately."""
    when = header.removeprefix("t=").partition(",")[0]
    if not when.isdecimal() or abs(now - int(when)) > OLD_S:
        return False
    return hmac.compare_digest(header.encode(), signature(secret, body, int(when)).encode())


def serve(config: dict[str, Any]) -> ThreadingHTTPServer:
    """The server, which is not running yet; closing it does not stop what was started."""
    processes = Processes.of(config)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = min(int(self.headers.get("Content-Length", 0)), _MOST_BODY)
            body = self.rfile.read(length)
            header = self.headers.get("X-Aviary-Signature", "")
            if not is_signed(config["secret"], header, body, time.time()):
                self._say(401, {"status": "failed", "detail": "this call is not signed"})
                return
            try:
                self._say(200, processes.answer(json.loads(body)))
            except (ValueError, KeyError, TypeError):
                self._say(400, {"status": "failed", "detail": "this is no call"})

        def _say(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", int(config["port"])), Handler)
    server.daemon_threads = True
    server.processes = processes  # type: ignore[attr-defined]
    return server


def main() -> None:
    server = serve(json.loads(Path(sys.argv[1]).read_text()))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.serve_forever()
    finally:
        server.processes.stop_all()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
