"""The connections to Redis: short timeouts, and no retries behind our back.

redis-py retries by itself unless told otherwise, which once turned a timeout of 0.3 s into 8 s
against a frozen server.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from flags.channel import DOUBTS, REGISTRY, EnvironmentKeys, IntakeKind
from flags.channel.exposures import (
    EXPOSE_SCRIPT,
    EXPOSED,
    KEPT_S,
    MOST_USERS,
    READ_SCRIPT,
    WANTED_FOR_S,
)
from flags.channel.intake import SEND_SCRIPT
from flags.channel.keys import USERS_KEPT_FOR_S
from flags.channel.reports import REPORT_SCRIPT
from flags.channel.telemetry import NOTE_SCRIPT

CONNECT_TIMEOUT_S: Final = 0.5
COMPARE_TIMEOUT_S: Final = 0.5
STREAM_TIMEOUT_S: Final = 1.0
STREAM_BLOCK_MS: Final = 500
# A load moves every document of an environment; only the follower waits for it.
LOAD_TIMEOUT_S: Final = 3.0
ENTRIES_PER_READ: Final = 100
ID_DIGITS: Final = 18

Entry = tuple[bytes, dict[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class SealedSnapshot:
    """All of one environment at one instant; ``last_id`` is where its stream then ended."""

    head: bytes | None
    documents: dict[bytes, bytes]
    last_id: bytes


class Link:
    """What the follower asks Redis, over a connection per kind of question.

    Raises redis.exceptions.RedisError or OSError when Redis does not answer in time.
    """

    def __init__(self, url: str) -> None:
        """Raises ValueError when the address is malformed. Connects later."""
        self._compare = _connect(url, COMPARE_TIMEOUT_S)
        self._stream = _connect(url, STREAM_TIMEOUT_S)
        self._url = url
        self._tell = _connect(url, COMPARE_TIMEOUT_S)
        self._batches = _connect(url, COMPARE_TIMEOUT_S)
        # Nobody else uses it: where it breaks, Redis may have lost what was sent.
        self._intake = _connect(url, STREAM_TIMEOUT_S)

    async def read_registry(self) -> set[int]:
        names: Any = await cast(Any, self._compare.hkeys(REGISTRY))
        return {int(name) for name in names if name.isdigit() and len(name) <= ID_DIGITS}

    async def read_heads(
        self, environment_ids: list[int]
    ) -> dict[int, bytes | ResponseError | None]:
        """The sealed heads of these environments, None where there is none.

        An error where the key is of another type: that is the trouble of one environment alone.
        """
        async with self._compare.pipeline(transaction=False) as pipe:
            for one in environment_ids:
                pipe.get(EnvironmentKeys(one).head)
            heads = await pipe.execute(raise_on_error=False)
        return dict(zip(environment_ids, heads, strict=True))

    async def load(self, environment_id: int) -> SealedSnapshot:
        """One environment in full, in one transaction.

        Over a connection of its own: loads are rare, and one that has been idle for hours may have
        fallen silent on its way, which only its timeout would tell.
        """
        keys = EnvironmentKeys(environment_id)
        async with (
            _connect(self._url, LOAD_TIMEOUT_S) as client,
            client.pipeline(transaction=True) as pipe,
        ):
            pipe.get(keys.head)
            pipe.hgetall(keys.documents)
            pipe.xrevrange(keys.stream, count=1)
            head, documents, last = await pipe.execute()
        return SealedSnapshot(head, documents, last[0][0] if last else b"0-0")

    async def read_streams(self, positions: Mapping[str, bytes]) -> dict[str, list[Entry]]:
        """New entries by stream; waits a moment for the first one.

        A key that is no stream is left out: its environment is followed by comparing.
        """
        try:
            return await self._read_streams(positions)
        except ResponseError:
            names = list(positions)
            async with self._stream.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.type(name)
                types = await pipe.execute()
            good = [n for n, t in zip(names, types, strict=True) if t in (b"stream", b"none")]
            if not good:
                await asyncio.sleep(STREAM_BLOCK_MS / 1000)
                return {}
            return await self._read_streams({name: positions[name] for name in good})

    async def _read_streams(self, positions: Mapping[str, bytes]) -> dict[str, list[Entry]]:
        reply: Any = await self._stream.xread(
            cast(Any, dict(positions)), count=ENTRIES_PER_READ, block=STREAM_BLOCK_MS
        )
        return {name.decode(): entries for name, entries in reply or ()}

    async def write_doubts(self, doubts: Mapping[int, bytes]) -> None:
        await cast(Any, self._tell.hset(DOUBTS, mapping=cast(Any, dict(doubts))))

    async def write_reports(self, evaluator: str, reports: Mapping[int, bytes]) -> None:
        """Leave word of what is answered with now, sealed, by environment.

        Raises ResponseError where Redis answers and does not take them.
        """
        async with self._tell.pipeline(transaction=False) as pipe:
            for environment_id, sealed in reports.items():
                name = EnvironmentKeys(environment_id).reports
                pipe.eval(REPORT_SCRIPT, 1, name, evaluator, sealed)
            answers = await pipe.execute(raise_on_error=False)
        failures = [one for one in answers if isinstance(one, Exception)]
        if failures:
            raise failures[0]

    async def forget_reports(self, evaluator: str, environment_ids: Iterable[int]) -> None:
        async with self._tell.pipeline(transaction=False) as pipe:
            for environment_id in environment_ids:
                pipe.hdel(EnvironmentKeys(environment_id).reports, evaluator)
            await pipe.execute()

    async def send_batches(
        self, kind: IntakeKind, batches: Iterable[tuple[int, int, bytes]]
    ) -> tuple[int, int, bytes, int, list[bytes]]:
        arguments: list[Any] = [kind.kept_for_s, kind.most_bytes, *chain.from_iterable(batches)]
        answer: Any = await cast(Any, self._intake.eval(SEND_SCRIPT, 1, kind.stream, *arguments))
        return cast(tuple[int, int, bytes, int, list[bytes]], tuple(answer))

    async def note_batch(
        self, environment_id: int, selector: str, batch: bytes, kept_s: int, most: int
    ) -> bool:
        name = EnvironmentKeys(environment_id).batches(selector)
        answer: Any = self._batches.eval(NOTE_SCRIPT, 1, name, *cast(Any, (batch, kept_s, most)))
        return bool(await answer)

    async def add_users(self, users: Mapping[str, list[bytes]]) -> None:
        async with self._tell.pipeline(transaction=False) as pipe:
            for name, hashes in users.items():
                pipe.pfadd(name, *hashes)
                pipe.expire(name, USERS_KEPT_FOR_S)
            await pipe.execute()

    async def read_watches(self) -> list[bytes]:
        answer: Any = self._tell.eval(READ_SCRIPT, 1, EXPOSED, *cast(Any, (WANTED_FOR_S,)))
        return cast(list[bytes], await answer)

    async def add_exposures(
        self, users: str, counts: str, exposures: Iterable[tuple[bytes, str, str]]
    ) -> None:
        arguments = cast(Any, (KEPT_S, MOST_USERS, *chain.from_iterable(exposures)))
        await cast(Any, self._tell.eval(EXPOSE_SCRIPT, 2, users, counts, *arguments))

    async def close(self) -> None:
        for client in (self._compare, self._stream, self._tell, self._batches, self._intake):
            await client.aclose()


def _connect(url: str, timeout_s: float) -> Redis:
    return Redis.from_url(
        url,
        protocol=2,
        decode_responses=False,
        socket_timeout=timeout_s,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
    )


def order_of(position: bytes) -> tuple[int, ...]:
    return tuple(map(int, position.split(b"-")))
