"""Telling the portal what this evaluator answers from, so that no change looks live before it is.

Every two seconds for every environment, and at once for those that changed.
"""

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from collections.abc import Iterable
from typing import Final

from redis.exceptions import RedisError, ResponseError

from flags.channel import Sealer
from flags.channel.reports import REPORT_EVERY_S, Report
from flags.evaluator.link import Link
from flags.evaluator.memory import Environment, Memory

logger = logging.getLogger("aviary.evaluator")

RETRY_AFTER_S: Final = 0.5


class Reporting:
    def __init__(self, memory: Memory, link: Link, sealer: Sealer, *, port: int) -> None:
        self._memory, self._link, self._sealer = memory, link, sealer
        self._name = f"{socket.gethostname()[:60]}:{port}#{secrets.token_hex(4)}"
        self._changed: set[int] = set()
        self._wake = asyncio.Event()
        memory.watchers.append(self._note)

    def _note(self, _before: Environment | None, state: Environment) -> None:
        self._changed.add(state.environment_id)
        self._wake.set()

    async def run(self) -> None:
        due_at = 0.0
        while True:
            self._wake.clear()
            is_due = time.monotonic() >= due_at
            changed, self._changed = self._changed, set()
            if is_due:
                due_at = time.monotonic() + REPORT_EVERY_S
                changed = self._memory.places.keys() | self._memory.missing
            if not await self._report(changed):
                due_at = 0.0
                await asyncio.sleep(RETRY_AFTER_S)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(due_at - time.monotonic(), 0))

    async def end(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self._link.forget_reports(self._name, self._memory.places.keys())

    async def _report(self, environment_ids: Iterable[int]) -> bool:
        reports = {one: self._sealed(one) for one in environment_ids}
        try:
            await self._link.write_reports(self._name, reports)
        except ResponseError as error:
            if self._memory.is_writable:
                logger.warning("Redis refuses to be written to: %s", error)
            self._memory.is_writable = False
            return False
        except (RedisError, OSError):
            return False
        self._memory.is_writable = True
        return True

    def _sealed(self, environment_id: int) -> bytes:
        place = self._memory.places.get(environment_id)
        if place is None:
            report = Report(self._name, "", 0, 0.0)
        else:
            held_for_s = time.monotonic() - place.held_since
            report = Report(self._name, place.state.epoch, place.state.version, held_for_s)
        return report.seal(self._sealer, environment_id)
