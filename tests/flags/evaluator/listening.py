"""A client of an event stream that takes down what it hears."""

import contextlib
import json
import queue
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.flags.evaluator.publisher import Key
from tests.flags.evaluator.shop import Shop

WAIT_S = 10.0


@dataclass
class Ear:
    """An open stream; frames come in the order they were sent, None after the last."""

    response: httpx.Response
    frames: "queue.Queue[dict[str, str] | None]"

    def hear(self) -> dict[str, Any]:
        """The next event: its id and its data."""
        frame = self.next()
        while frame is not None and "data" not in frame:
            frame = self.next()
        assert frame is not None, "the stream ended"
        assert frame["event"] == "message"
        return {"id": frame["id"], **json.loads(frame["data"])}

    def next(self) -> dict[str, str] | None:
        return self.frames.get(timeout=WAIT_S)

    def hears_the_end(self) -> bool:
        while (frame := self.next()) is not None:
            assert "data" not in frame
        return True


def address(shop: Shop, key: Key | None = None) -> str:
    """Where a bulk answer says that changes are told."""
    (stream,) = shop.ask_all(key=key).json()["eventStreams"]
    assert stream["type"] == "sse"
    assert stream["inactivityDelaySec"] >= 1
    found: str = stream["endpoint"]["requestUri"]
    return found


@contextlib.contextmanager
def listening(shop: Shop, target: str = "", **headers: str) -> Iterator[Ear]:
    """Open the stream that a bulk answer names, or another."""
    target = target or address(shop)
    with (
        httpx.Client(base_url=shop.evaluator.url, timeout=WAIT_S) as http,
        http.stream("GET", target, headers=headers) as response,
    ):
        ear = Ear(response, queue.Queue())
        reader = threading.Thread(target=_take_down, args=(response, ear.frames), daemon=True)
        if response.status_code == 200:
            reader.start()
            ear.next()  # the greeting: from now on every change is heard
        try:
            yield ear
        finally:
            _hang_up(response)


def _hang_up(response: httpx.Response) -> None:
    """Closing alone tells the other side nothing while a thread is still reading."""
    with contextlib.suppress(OSError):
        line = response.extensions["network_stream"].get_extra_info("socket")
        line.shutdown(socket.SHUT_RDWR)


def _take_down(response: httpx.Response, frames: "queue.Queue[dict[str, str] | None]") -> None:
    frame: dict[str, str] = {}
    # Closing the stream under the thread ends it, one way or the other.
    with contextlib.suppress(Exception):
        for line in response.iter_lines():
            if line:
                name, _colon, value = line.partition(":")
                frame[name] = value.strip()
            else:
                frames.put(frame)
                frame = {}
    frames.put(None)
