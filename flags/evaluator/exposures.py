"""Whom a release sends where: each user once, told to Redis every two seconds as a hash.

Only flags that a release moves are watched, and only those whom the split decided: whom a rule
serves (cohorts, testers, rules of others) is in no arm. Exposures by client keys, which anybody can
make up, do not count.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Final

from redis.exceptions import RedisError

from flags.channel import EnvironmentKeys, Sealer
from flags.channel.exposures import Watch
from flags.channel.reports import REPORT_EVERY_S
from flags.engine import Reason, Result
from flags.engine.document import TARGETING_KEY
from flags.evaluator.link import Link

logger = logging.getLogger("aviary.evaluator")

# Of one flag: exposures that were told already, which are forgotten when it is full; and new ones.
MOST_KNOWN: Final = 100_000
MOST_NEW: Final = 5_000
AT_ONCE: Final = 500
# Watched at the same time: what an evaluator keeps of them is bounded.
MOST_WATCHES: Final = 200
_NOTHING: Final[Mapping[str, "WatchedFlag"]] = {}


class WatchedFlag:
    __slots__ = ("_known", "new", "watch")

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.new: list[tuple[str, str, str]] = []
        self._known: set[int] = set()

    def note(self, context: Mapping[str, object], result: Result) -> None:
        """Count an answer, where the split decided it and it is the first of its kind."""
        if result.reason is not Reason.SPLIT or "ruleId" in result.metadata:
            return
        arm = self.watch.arms.get(result.variant or "")
        unit = context.get(self.watch.bucket_by)
        if not arm or not isinstance(unit, str | int | float) or len(self.new) >= MOST_NEW:
            return
        version, person = str(result.metadata.get("version")), context.get(TARGETING_KEY)
        mark = hash((unit, person, arm, version))
        if mark in self._known:
            return
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known.add(mark)
        self.new.append((f"unit {unit}", version, arm))
        if self.watch.bucket_by != TARGETING_KEY and isinstance(person, str) and person:
            self.new.append((f"person {person}", f"person {version}", arm))

    def forget(self) -> None:
        """What was told may be lost: it is told again when it comes again."""
        self._known.clear()


class ExposureCounter:
    __slots__ = ("_watched",)

    def __init__(self) -> None:
        self._watched: dict[int, dict[str, WatchedFlag]] = {}

    def watched(self, environment_id: int, *, is_client: bool) -> Mapping[str, WatchedFlag]:
        """The flags that are watched there, by their keys: mostly none."""
        return _NOTHING if is_client else self._watched.get(environment_id, _NOTHING)

    def watch(self, members: Iterable[bytes]) -> None:
        """Watch these from now on; those that were watched go on as they are."""
        flags_before = self._watched.values()
        before = {one.watch.member: one for flags in flags_before for one in flags.values()}
        found: dict[int, dict[str, WatchedFlag]] = {}
        for member in list(members)[:MOST_WATCHES]:
            try:
                watch = Watch.read(member)
            except ValueError:
                continue
            flags = found.setdefault(watch.environment_id, {})
            flags[watch.flag] = before.get(member) or WatchedFlag(watch)
        self._watched = found

    async def run(self, link: Link, sealer: Sealer) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            await self.tell(link, sealer)
            try:
                self.watch(await link.read_watches())
            except (RedisError, OSError):
                continue

    async def tell(self, link: Link, sealer: Sealer) -> None:
        for flags in self._watched.values():
            for one in list(flags.values()):
                taken, one.new = one.new, []
                try:
                    for at in range(0, len(taken), AT_ONCE):
                        await self._tell(link, sealer, one.watch, taken[at : at + AT_ONCE])
                except (RedisError, OSError):
                    one.forget()

    async def _tell(
        self, link: Link, sealer: Sealer, watch: Watch, part: list[tuple[str, str, str]]
    ) -> None:
        users, counts = EnvironmentKeys(watch.environment_id).exposed(watch.release)
        told = [
            (sealer.hash_user(f"{watch.release}\0{user}"), label, arm) for user, label, arm in part
        ]
        await link.add_exposures(users, counts, told)
