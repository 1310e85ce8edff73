"""Faults of our own: nothing of them leaves the process, and no context reaches the log."""

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from flags.channel import Head
from flags.engine import EMPTY, CompiledFlag, EvaluationState, Result, ValueType, compile_flag
from flags.evaluator import status
from flags.evaluator.app import Evaluator
from flags.evaluator.contents import ApiKey, FlagItem, read_key
from flags.evaluator.counters import Counters
from flags.evaluator.memory import Environment, Memory
from flags.evaluator.streams import Streams
from flags.evaluator.tickets import Tickets
from tests.flags.evaluator.publisher import Key, flag, new_key
from tests.flags.evaluator.shop import FLAGS

SECRET = "alice-lives-in-berlin"
CONTEXT = {"context": {"targetingKey": SECRET}}


def _fail(context: Mapping[str, object], _world: EvaluationState = EMPTY, /) -> Result:
    raise RuntimeError(f"cannot cope with {context}")


@pytest.fixture
def key() -> Key:
    return new_key()


@pytest.fixture
def memory(key: Key) -> Memory:
    """Holds a flag whose evaluation fails, and a sound one."""
    sound = compile_flag(flag("sound"))
    failing = CompiledFlag("failing", ValueType.BOOLEAN, False, 1, _fail, _fail, 1, sound.source)
    compiled = {"failing": failing, "sound": sound}
    flags = {
        name: FlagItem(name, compiled=one, client_visible=False) for name, one in compiled.items()
    }
    keys: dict[bytes, ApiKey] = {key.selector.encode(): read_key(key.selector, key.document)}
    head = Head("shop", "production", "live", 3, 0.0)
    memory = Memory(is_listed=True)
    memory.swap(Environment(1, "e", 1, head, b"", {}, {}, flags, keys))
    return memory


def _post(memory: Memory, key: Key, path: str) -> httpx.Response:
    async def post() -> httpx.Response:
        counters = Counters()
        streams = Streams(memory, counters, Tickets(b"k"))
        transport = httpx.ASGITransport(Evaluator(memory, counters, streams))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post(path, json=CONTEXT, headers=key.headers)

    return asyncio.run(post())


def test_a_flag_whose_evaluation_fails_is_a_500_without_internals(
    memory: Memory, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    answer = _post(memory, key, f"{FLAGS}/failing")
    assert answer.status_code == 500
    assert answer.json() == {"errorDetails": "the evaluator failed to answer: its log says why"}
    assert "RuntimeError" in caplog.text
    assert SECRET not in caplog.text


def test_in_bulk_it_is_one_failure_item(memory: Memory, key: Key) -> None:
    answer = _post(memory, key, FLAGS)
    assert answer.status_code == 200
    failing, sound = answer.json()["flags"]
    assert (failing["key"], failing["errorCode"]) == ("failing", "GENERAL")
    assert sound["value"] is True


def test_a_fault_outside_of_evaluation_is_a_500_too(
    memory: Memory, key: Key, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(status, "staleness_s", _fail)
    answer = _post(memory, key, f"{FLAGS}/sound")
    assert answer.status_code == 500
    assert list(answer.json()) == ["errorDetails"]
    assert SECRET not in caplog.text
