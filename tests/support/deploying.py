"""A real deployer for tests, which starts and stops real programs on this machine."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from portal.access.models import Environment
from releases.deployers import processes
from releases.routers.webhook import secret_for
from tests.support.ports import free_port

COMMAND = [sys.executable, "-m", "tests.support.backend", "{port}", "{version}", "{place}"]


@dataclass(frozen=True, slots=True)
class Deployer:
    """Where it listens, and the ports of its places."""

    url: str
    ports: dict[str, int]
    running: processes.Processes

    @property
    def addresses(self) -> dict[str, str]:
        return {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}

    @property
    def setup(self) -> dict[str, Any]:
        return {"kind": "webhook", "url": self.url, "addresses": self.addresses}

    def version_at(self, place: str) -> str:
        """The version that answers at a place; empty where nothing does."""
        try:
            return str(httpx.get(self.addresses[place], timeout=2).json()["version"])
        except httpx.HTTPError:
            return ""

    def put(self, version: str, *places: str) -> None:
        """Have a version run at places, as if it had been deployed there before."""
        for name in places:
            call = {
                "action": "start",
                "order": "deploy",
                "place": name,
                "execution": f"before.{name}",
                "release": "0",
                "fence": 0,
                "artefact": {"version": version},
            }
            execution = processes.Execution()
            self.running._carry_out(call, execution)
            assert execution.status == "done", execution.detail


@contextmanager
def deploying(environment: Environment, service: str, *places: str) -> Iterator[Deployer]:
    """A deployer of a service with these places."""
    ports = {name: free_port() for name in places}
    config = {
        "port": free_port(),
        "secret": secret_for(environment.project.key, service, environment.key),
        "places": {name: {"port": port} for name, port in ports.items()},
        "command": COMMAND,
        "ready": "/ready",
    }
    server = processes.serve(config)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    running: processes.Processes = server.processes  # type: ignore[attr-defined]
    try:
        yield Deployer(f"http://127.0.0.1:{config['port']}/deploy", ports, running)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        running.stop_all()
