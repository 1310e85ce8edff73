"""A real Prometheus that scrapes a real exporter, both on loopback."""

import json
import shutil
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIServer

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from tests.support.ports import free_port
from tests.support.waiting import wait_until

EVERY = "250ms"
_CONFIG = """
global: {{scrape_interval: {every}, evaluation_interval: 1m}}
scrape_configs:
- job_name: shop
  static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="Prometheus is not installed"
)


class Exporter:
    """What a service reports of its versions, by prometheus_client's own server."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        labels = ["service", "version", "pod"]
        self.requests = Counter("shop_requests", "Requests", labels, registry=registry)
        self.errors = Counter("shop_errors", "Failed ones", labels, registry=registry)
        self.queue = Gauge("shop_queue", "What waits", labels, registry=registry)
        self._http: WSGIServer
        self._thread: threading.Thread
        self._http, self._thread = start_http_server(0, "127.0.0.1", registry=registry)
        self.port = int(self._http.server_port)

    def count(self, version: str, requests: int, errors: int = 0, pod: str = "a") -> None:
        self.requests.labels("checkout", version, pod).inc(requests)
        self.errors.labels("checkout", version, pod).inc(errors)

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class PrometheusServer:
    def __init__(self, folder: Path, exporter: Exporter) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = folder / "prometheus.yml"
        config.write_text(_CONFIG.format(every=EVERY, port=exporter.port))
        self._command = [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._is_ready, what="Prometheus")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def value(self, query: str) -> list[float]:
        """What it says now, as the tests see it; not by the code that is tested."""
        asked = urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{asked}", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
        return [float(one["value"][1]) for one in found["data"]["result"]]

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def prometheus_of(exporter: Exporter, folder: Path) -> Iterator[PrometheusServer]:
    server = PrometheusServer(folder, exporter)
    try:
        server.start()
        yield server
    finally:
        server.stop()
