"""Whom flags were answered for: each user once, told to Redis every two seconds as a hash.

What is kept here is a process's own hash of flag and user, so that most answers cost one look at a
set. Beyond its bounds users are told again, or not counted in those two seconds.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final, TypeAlias

from redis.exceptions import RedisError

from flags.channel import EnvironmentKeys, Sealer
from flags.channel.keys import day_of
from flags.channel.reports import REPORT_EVERY_S
from flags.evaluator.link import Link

# UserCounter of flags that were told already: some 10 MB. They are forgotten when it is full.
MOST_KNOWN: Final = 100_000
# Between two times of telling.
MOST_NEW: Final = 20_000
# Of one environment and kind of key in a day: what one flag takes in Redis, 12 KB, is bounded.
MOST_FLAGS: Final = 1_000
AT_ONCE: Final = 500
# Environment, whether by client keys, and the flag.
_Sketch: TypeAlias = tuple[int, bool, str]


class UserCounter:
    __slots__ = ("_count", "_day", "_flags", "_known", "_new", "_sketches")

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._new: dict[_Sketch, list[str]] = {}
        self._count = 0
        self._day = 0
        self._sketches: set[_Sketch] = set()
        self._flags: Counter[tuple[int, bool]] = Counter()

    def note(self, environment_id: int, flag: str, user: object, is_client: bool) -> None:
        if user:
            mark = hash((environment_id, is_client, flag, user))
            if mark not in self._known:
                self._add(mark, (environment_id, is_client, flag), str(user))

    def _add(self, mark: int, sketch: _Sketch, user: str) -> None:
        if self._count >= MOST_NEW or not self._has_room(sketch):
            return
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known.add(mark)
        self._new.setdefault(sketch, []).append(user)
        self._count += 1

    def _has_room(self, sketch: _Sketch) -> bool:
        if sketch in self._sketches:
            return True
        if self._flags[sketch[:2]] >= MOST_FLAGS:
            return False
        self._flags[sketch[:2]] += 1
        self._sketches.add(sketch)
        return True

    async def run(self, link: Link, sealer: Sealer) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            await self.tell(link, sealer)

    async def tell(self, link: Link, sealer: Sealer) -> None:
        taken, self._new, self._count = self._new, {}, 0
        day = day_of(time.time())
        if day != self._day:
            self._day = day
            self._known.clear()
            self._sketches.clear()
            self._flags.clear()
        for part in _parts(taken):
            found = {
                EnvironmentKeys(one[0]).users(day, one[2], by_client=one[1]): [
                    sealer.hash_user(user) for user in users
                ]
                for one, users in part.items()
            }
            try:
                await link.add_users(found)
            except (RedisError, OSError):
                self._known.clear()
                return


def _parts(taken: dict[_Sketch, list[str]]) -> Iterator[dict[_Sketch, list[str]]]:
    part, room = dict[_Sketch, list[str]](), AT_ONCE
    for sketch, users in taken.items():
        for at in range(0, len(users), AT_ONCE):
            part[sketch] = users[at : at + AT_ONCE]
            room -= len(part[sketch])
            if room <= 0:
                yield part
                part, room = {}, AT_ONCE
    if part:
        yield part
