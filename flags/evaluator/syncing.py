"""``/flagd/v1/flags.json``: what a flagd daemon fetches to serve the environment's flags itself.

The file is made from what is held anyway, once per state. Each flag's part of it is kept with the
documents that it was made from, so that a change of one flag makes a few parts anew.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import orjson

from flags.evaluator.contents import ApiKey
from flags.evaluator.framing import Header
from flags.evaluator.keys import AccessRefused
from flags.evaluator.memory import Environment
from flags.transfer.exporters.base import Corpus
from flags.transfer.exporters.flagd import metadata_of, write_flag
from flags.transfer.exporters.flagd.file import SCHEMA

PATH: Final = b"/flagd/v1/flags.json"
# Flags looked through before requests get their turn; writing one costs as much as many looks.
SLICE: Final = 512
COST: Final = 64
# Of the keys of flags that were left out, in a header.
MAX_NAMED_CHARS: Final = 2_000


def check(api_key: ApiKey) -> None:
    """Raises AccessRefused for a public key, which never sees a rule."""
    if api_key.is_client:
        raise AccessRefused(403, "flagd gets the rules themselves: give it a server key")


@dataclass(frozen=True, slots=True)
class FlagdPart:
    content: bytes | None
    evaluators: Mapping[str, object]
    used: Mapping[tuple[str, str], object]


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    tag: bytes
    headers: tuple[Header, ...]


@dataclass(slots=True)
class _FlagdCache:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    state: Environment | None = None
    file: File | None = None
    parts: dict[str, FlagdPart] = field(default_factory=dict)


class FlagdFiles:
    def __init__(self) -> None:
        self._caches: dict[int, _FlagdCache] = {}

    async def read(self, state: Environment) -> File:
        cache = self._caches.setdefault(state.environment_id, _FlagdCache())
        if cache.state is state and cache.file is not None:
            return cache.file
        async with cache.lock:
            if cache.file is None or cache.state is not state:
                cache.parts = await _write_parts(state, cache.parts)
                # Hashing ten megabytes would be a pause; it needs nothing of this thread's.
                cache.file = await asyncio.to_thread(_join, state, cache.parts)
                cache.state = state
            return cache.file


async def _write_parts(state: Environment, known: Mapping[str, FlagdPart]) -> dict[str, FlagdPart]:
    corpus = _corpus(state)
    documents = {"flag": corpus.flags, "segment": corpus.segments, "group": corpus.groups}
    parts: dict[str, FlagdPart] = {}
    work = 0
    for key in sorted(corpus.flags):
        part = known.get(key)
        work += 1
        if part is None or any(
            documents[kind].get(name) is not one for (kind, name), one in part.used.items()
        ):
            part = _write(key, corpus)
            work += COST
        parts[key] = part
        if work > SLICE:
            work = 0
            await asyncio.sleep(0)
    return parts


def _corpus(state: Environment) -> Corpus:
    items = state.flags.items()
    return Corpus(
        {key: item.compiled.source for key, item in items if item.compiled is not None},
        {key: one.source for key, one in state.segments.items()},
        {key: one.source for key, one in state.groups.items()},
    )


def _write(key: str, corpus: Corpus) -> FlagdPart:
    written = write_flag(corpus.flags[key], corpus)
    if written.document is None:
        return FlagdPart(None, {}, written.used)
    content = orjson.dumps(key) + b":" + orjson.dumps(written.document)
    return FlagdPart(content, written.evaluators, written.used)


def _join(state: Environment, parts: Mapping[str, FlagdPart]) -> File:
    """Whatever else is the same, the same flags make the same file: flagd compares it."""
    left_out = [key for key in sorted(state.flags) if key not in parts or not parts[key].content]
    metadata = metadata_of(f"{state.head.project}/{state.head.environment}", len(left_out))
    evaluators = {name: one for part in parts.values() for name, one in part.evaluators.items()}
    flags = b",".join(part.content for part in parts.values() if part.content)
    body = b'{"$schema":%b,"metadata":%b,"flags":{%b},"$evaluators":%b}' % (
        orjson.dumps(SCHEMA),
        orjson.dumps(metadata),
        flags,
        orjson.dumps(evaluators, option=orjson.OPT_SORT_KEYS),
    )
    tag = b'"%b"' % hashlib.blake2b(body, digest_size=16).hexdigest().encode()
    named_header = [(b"x-aviary-left-out", _names(left_out))] if left_out else []
    return File(body, tag, ((b"etag", tag), *named_header))


def _names(keys: list[str]) -> bytes:
    names, room = [], MAX_NAMED_CHARS
    for key in keys:
        name = quote(key, safe="/")
        room -= len(name) + 1
        if room < 0:
            names.append("...")
            break
        names.append(name)
    return ",".join(names).encode()
