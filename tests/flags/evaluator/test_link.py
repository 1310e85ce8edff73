"""A Redis that does not answer is given up on quickly, and without hidden retries."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable

import pytest
from redis.exceptions import RedisError

from flags.evaluator.link import Link

QUESTIONS: dict[str, Callable[[Link], Awaitable[object]]] = {
    "registry": lambda link: link.read_registry(),
    "heads": lambda link: link.read_heads([1]),
    "streams": lambda link: link.read_streams({"s": b"0-0"}),
}


async def _ask_once(port: int, question: Callable[[Link], Awaitable[object]]) -> float:
    link = Link(f"redis://127.0.0.1:{port}")
    started_at = time.monotonic()
    try:
        with pytest.raises((RedisError, OSError)):
            await question(link)
        return time.monotonic() - started_at
    finally:
        await link.close()


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_silent_server_is_given_up_on_within_its_timeout(question: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        taken_s = asyncio.run(_ask_once(silent.getsockname()[1], QUESTIONS[question]))
    assert taken_s < 1.5


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_server_that_is_not_there_is_given_up_on_at_once(question: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert asyncio.run(_ask_once(port, QUESTIONS[question])) < 0.3
