"""Last-known-good on disk: an evaluator that starts while Redis is away serves from its copies.

Reading happens once, before Redis is asked, so that nothing older than a copy is taken from Redis
either. Writing happens every few seconds, in a thread, and only for what changed. Trouble with the
disk is told once and counted; nobody waits for it.
"""

import asyncio
import logging
import time
from pathlib import Path
from typing import Final

from flags.channel import Sealer
from flags.evaluator import assemble
from flags.evaluator.copy_files import Copy, CopyFolder, read_copy
from flags.evaluator.counters import Counters
from flags.evaluator.memory import CurrentEnvironment, Environment, Memory, Position

logger = logging.getLogger("aviary.evaluator")

WRITE_EVERY_S: Final = 10.0
FIRST_WRITE_S: Final = 1.0
# How long an environment must have been gone from Redis before its copies go too.
KEEP_GONE_S: Final = 3600.0


class Copies:
    def __init__(
        self,
        memory: Memory,
        sealer: Sealer,
        counters: Counters,
        *,
        folder: Path | None,
        max_age_s: float,
    ) -> None:
        self._memory, self._sealer, self._counters = memory, sealer, counters
        self._folder = CopyFolder(folder, sealer) if folder is not None else None
        self._max_age_s = max_age_s
        self._written: dict[int, Position] = {}
        self._trouble = ""

    # Reading

    async def read(self) -> None:
        if self._folder is None:
            return
        try:
            ids = await asyncio.to_thread(self._folder.environment_ids)
        except OSError as error:
            self._complain(f"cannot read {self._folder.path}: {error.strerror}")
            return
        for environment_id in sorted(ids):
            await self._read_environment(self._folder, environment_id)

    async def _read_environment(self, folder: CopyFolder, environment_id: int) -> None:
        for path in folder.generations(environment_id):
            try:
                copy = await asyncio.to_thread(read_copy, path)
                state = await assemble.assemble_full(  # its seals checked as if it came from Redis
                    self._sealer,
                    assemble.open_head(self._sealer, environment_id, copy.head),
                    dict(copy.documents),
                    environment_id=environment_id,
                    held=None,
                    counters=self._counters,
                )
            except FileNotFoundError:
                continue
            except Exception as error:  # whatever is wrong with a file, Redis is still to be asked
                self._counters.copies_failed += 1
                logger.error("the copy %s cannot be used: %s", path, error)
                continue
            self._keep(state, copy)
            return

    def _keep(self, state: Environment, copy: Copy) -> None:
        age_s = time.time() - copy.confirmed_at
        place = CurrentEnvironment(state)
        place.confirmed_at -= age_s
        place.may_serve = age_s <= self._max_age_s
        self._memory.copies[state.environment_id] = place
        if not place.may_serve:
            text = "the copy of environment %d is %.0f hours old: too old to be served"
            logger.warning(text, state.environment_id, age_s / 3600)

    # Writing

    async def run(self) -> None:
        await asyncio.sleep(FIRST_WRITE_S)
        while True:
            await self.write()
            await asyncio.sleep(WRITE_EVERY_S)

    async def write(self) -> None:
        if self._folder is None:
            return
        try:
            for environment_id in list(self._memory.places):
                await self._write_environment(self._folder, environment_id)
            await self._remove_gone(self._folder)
        except OSError as error:
            self._complain(f"cannot write to {self._folder.path}: {error.strerror or error}")
        except Exception as error:  # a fault of ours must not end the writing
            self._complain(f"writing failed: {type(error).__name__}")
        else:
            if self._trouble:
                logger.info("copies are written again")
            self._trouble = ""

    async def _write_environment(self, folder: CopyFolder, environment_id: int) -> None:
        place = self._memory.places[environment_id]
        if self._is_gone(environment_id):
            return
        state, age_s = place.state, time.monotonic() - place.confirmed_at
        confirmed_at = time.time() - age_s
        if self._written.get(environment_id) == state.position:
            try:
                await asyncio.to_thread(folder.confirm, environment_id, confirmed_at)
                return
            except FileNotFoundError:
                pass  # somebody removed it
        if await asyncio.to_thread(folder.write, state, confirmed_at=confirmed_at):
            self._written[environment_id] = state.position
            self._counters.copies_written += 1

    def _is_gone(self, environment_id: int) -> bool:
        """Whether Redis lists others and not this one; an empty Redis says nothing."""
        listed = self._memory.listed
        return self._memory.is_connected and bool(listed) and environment_id not in listed

    async def _remove_gone(self, folder: CopyFolder) -> None:
        for environment_id in await asyncio.to_thread(folder.environment_ids):
            if self._is_gone(environment_id):
                since = time.time() - KEEP_GONE_S
                await asyncio.to_thread(folder.remove, environment_id, unless_since=since)

    def _complain(self, trouble: str) -> None:
        self._counters.copies_failed += 1
        if trouble != self._trouble:
            self._trouble = trouble
            logger.warning("copies on disk: %s; flags are served all the same", trouble)
