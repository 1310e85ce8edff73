"""Whose flags they are: an environment in the portal, and an application that asks for them."""

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

import httpx

from tests.flags.evaluator.publisher import Document, Documents, Key, Publisher
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.support.waiting import wait_until

FLAGS = "/ofrep/v1/evaluate/flags"


@dataclass
class Shop:
    """Publishes through the portal and evaluates with a key of its own."""

    portal: Publisher
    evaluator: EvaluatorProcess
    key: Key

    def open(self, *flags: Document, keys: tuple[Key, ...] = ()) -> None:
        """Publish for the first time, and wait until it is served."""
        self.portal.start(*flags, keys=(self.key, *keys))
        self.wait()

    def publish(self, documents: Documents) -> None:
        """Publish a change, and wait until it is served."""
        self.portal.publish(documents)
        self.wait()

    def wait(self, *, within_s: float = 30.0) -> None:
        wanted = (self.portal.epoch, self.portal.version)
        wait_until(lambda: self.served() == wanted, within_s=within_s)

    def served(self) -> tuple[str, int] | None:
        """Epoch and version that the evaluator answers from."""
        for one in self.evaluator.health()["environments"]:
            if one["id"] == self.portal.environment_id:
                return one["epoch"], one["version"]
        return None

    def ask(
        self, flag: str, context: object = None, *, key: Key | None = None, **more: Any
    ) -> httpx.Response:
        return self.post(f"{FLAGS}/{flag}", {"context": context or {}}, key=key, **more)

    def ask_all(
        self, context: object = None, *, key: Key | None = None, tag: str = ""
    ) -> httpx.Response:
        headers = {"If-None-Match": tag} if tag else {}
        return self.post(FLAGS, {"context": context or {}}, key=key, headers=headers)

    def post(
        self,
        path: str,
        body: object,
        *,
        key: Key | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Post JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Content-Type": "application/json", **(key or self.key).headers, **(headers or {})}
        return self.evaluator.http.post(path, content=content, headers=told)

    def value(self, flag: str, context: object = None) -> object:
        answer = self.ask(flag, context)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]

    def send(self, request: bytes) -> tuple[int, dict[str, str], Any]:
        """Send bytes over a socket of its own; returns status, headers and the JSON answered."""
        address = ("127.0.0.1", self.evaluator.port)
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection)
            response.begin()
            with response:
                headers = {name.lower(): value for name, value in response.getheaders()}
                return response.status, headers, json.loads(response.read() or b"null")

    def head_of(self, path: str, *headers: str) -> bytes:
        """The head of a POST, without its end."""
        lines = (f"POST {path} HTTP/1.1", "Host: test", f"X-API-Key: {self.key.token}", *headers)
        return "\r\n".join((*lines, "", "")).encode()
