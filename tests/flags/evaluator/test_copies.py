"""Last-known-good on disk: an evaluator that starts while Redis is away serves what was served."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from flags.evaluator import assemble
from flags.evaluator.copies import Copies
from flags.evaluator.counters import Counters
from flags.evaluator.memory import Memory
from tests.flags.evaluator.publisher import SEALER, Publisher, flag, new_key
from tests.flags.evaluator.servers import RedisServer
from tests.flags.evaluator.shop import Shop
from tests.support.waiting import wait_until

DAY_S = 24 * 3600


class Machine:
    """A folder, and the portal whose states evaluators on this machine put there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "evaluator"
        self.portal = Publisher(redis.Redis())  # never asked
        self.newest = self.folder / str(self.portal.environment_id)
        self.previous = self.folder / f"{self.portal.environment_id}.previous"
        self.memory, self.copies, self.counters = self.evaluator()

    def evaluator(self) -> tuple[Memory, Copies, Counters]:
        """What one process has."""
        memory, counters = Memory(is_connected=True), Counters()
        copies = Copies(memory, SEALER, counters, folder=self.folder, max_age_s=7 * DAY_S)
        return memory, copies, counters

    def serve(self, value: str, *, memory: Memory | None = None) -> None:
        """Change the flag, and let an evaluator have it."""
        memory = memory or self.memory
        self.portal.change({"flag/a": flag("a", value)})
        head = assemble.open_head(SEALER, self.portal.environment_id, self.portal.seal_head())
        documents = {b"flag/a": self.portal.seal("flag/a", flag("a", value))}
        state = assemble.assemble_full(
            SEALER,
            head,
            documents,
            environment_id=self.portal.environment_id,
            held=memory.held(self.portal.environment_id),
            counters=Counters(),
        )
        memory.swap(asyncio.run(state))

    def write(self) -> None:
        asyncio.run(self.copies.write())

    def read(self) -> tuple[object, int]:
        """What a process that starts now finds, and how many files it could not use."""
        memory, copies, counters = self.evaluator()
        asyncio.run(copies.read())
        state = memory.held(self.portal.environment_id)
        found = state.flags["a"].compiled if state else None
        value = found.source.definition.variants[0].value if found else None
        return value, counters.copies_failed


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Version 2, "new", was written after version 1, "old"."""
    machine = Machine(tmp_path)
    for value in ("old", "new"):
        machine.serve(value)
        machine.write()
    return machine


def _spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_read__newest_corrupt__takes_the_one_before(machine: Machine) -> None:
    assert machine.read() == ("new", 0)
    _spoil(machine.newest)
    assert machine.read() == ("old", 1)


def test_read__all_corrupt_or_cut_off__takes_nothing_and_says_so(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    _spoil(machine.newest)
    machine.previous.write_bytes(machine.previous.read_bytes()[:-9])
    assert machine.read() == (None, 2)
    assert f"the copy {machine.newest} cannot be used" in caplog.text


def test_read__checksum_holds_but_no_seal_does__takes_nothing(machine: Machine) -> None:
    machine.portal.environment_id += 1000
    for file in (machine.newest, machine.previous):
        file.rename(file.with_name(file.name.replace(machine.newest.name, "1001")))
    machine.portal.environment_id = 1001
    assert machine.read() == (None, 2)


def test_write__newest_is_corrupt__the_good_one_before_stays(machine: Machine) -> None:
    _spoil(machine.newest)
    machine.serve("newer")
    machine.write()
    _spoil(machine.newest)
    assert machine.read() == ("old", 1)


def test_write__files_are_private_and_written_only_for_what_changed(machine: Machine) -> None:
    files = (machine.newest, machine.previous, machine.folder / ".lock")
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert machine.folder.stat().st_mode & 0o777 == 0o700
    assert len(list(machine.folder.iterdir())) == len(files)
    before, confirmed_at = machine.newest.stat().st_ino, time.time() - 60
    os.utime(machine.newest, (confirmed_at, confirmed_at))
    machine.write()
    assert machine.newest.stat().st_ino == before
    assert machine.newest.stat().st_mtime > confirmed_at


def test_write__another_process_is_behind__does_not_put_back_an_older_state(
    machine: Machine,
) -> None:
    memory, copies, _counters = machine.evaluator()
    machine.serve("for both", memory=memory)
    behind = memory.held(machine.portal.environment_id)
    machine.serve("newest")
    machine.write()
    asyncio.run(copies.write())
    assert behind is not None
    assert machine.read() == ("newest", 0)


def test_write__folder_cannot_be_used__is_one_warning_and_works_again_later(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    aside = machine.folder.rename(machine.folder.with_name("aside"))
    machine.folder.write_text("in the way")
    machine.serve("newer")
    machine.write()
    machine.write()
    assert machine.counters.copies_failed == 2
    assert caplog.text.count("flags are served all the same") == 1
    machine.folder.unlink()
    aside.rename(machine.folder)
    machine.write()
    assert machine.read() == ("newer", 0)


def test_write__environment_gone_for_an_hour__removes_its_copies(machine: Machine) -> None:
    machine.memory.listed = {machine.portal.environment_id + 1}
    machine.write()
    assert machine.newest.exists()
    long_ago = time.time() - 3700
    for file in (machine.newest, machine.previous):
        os.utime(file, (long_ago, long_ago))
    machine.memory.listed = set()  # an empty Redis says nothing
    machine.memory.is_connected = False
    machine.write()
    assert machine.newest.exists()
    os.utime(machine.newest, (long_ago, long_ago))
    machine.memory.listed, machine.memory.is_connected = {0}, True
    machine.write()
    assert not machine.newest.exists()
    assert not machine.previous.exists()


# With whole processes


@pytest.fixture
def copied(own_shop: Shop) -> Shop:
    """A shop whose evaluator has written a copy and ended."""
    own_shop.open(flag("a", "new"))
    own_shop.evaluator.stop()
    return own_shop


@pytest.fixture
def frozen(own_redis: RedisServer, copied: Shop) -> Iterator[RedisServer]:
    own_redis.freeze()
    yield own_redis
    own_redis.thaw()


def test_start__redis_frozen__serves_the_copy_and_says_how_old_it_is(
    copied: Shop, frozen: RedisServer
) -> None:
    confirmed_at = time.time() - 3000
    newest = copied.evaluator.copies / str(copied.portal.environment_id)
    os.utime(newest, (confirmed_at, confirmed_at))
    copied.evaluator.start()
    copied.evaluator.wait_until_ready()
    assert copied.value("a") == "new"
    assert int(copied.ask("a").headers["x-aviary-stale"]) >= 3000
    # Redis was not asked yet, so a key that is not in a copy may be good all the same.
    assert copied.ask("a", key=new_key()).status_code == 503
    frozen.thaw()
    wait_until(lambda: copied.ask("a", key=new_key()).status_code == 401)
    assert "x-aviary-stale" not in copied.ask("a").headers
    copied.publish({"flag/a": flag("a", "newer")})
    assert copied.value("a") == "newer"


def test_start__redis_knows_better__the_copy_is_not_served(copied: Shop) -> None:
    copied.portal.publish({"flag/a": flag("a", "newest"), copied.key.field: None})
    copied.evaluator.start()
    wait_until(lambda: copied.ask("a").status_code != 503)
    assert copied.ask("a").status_code == 401


def test_start__copy_too_old__is_not_served_but_nothing_older_is_either(
    copied: Shop, own_redis: RedisServer
) -> None:
    own_redis.kill()
    newest = copied.evaluator.copies / str(copied.portal.environment_id)
    os.utime(newest, (0, 0))
    copied.evaluator.start()
    wait_until(lambda: "too old to be served" in copied.evaluator.log())
    own_redis.start()
    version, copied.portal.version = copied.portal.version, -1
    copied.portal.start(flag("a", "set back"), keys=(copied.key,))
    wait_until(lambda: copied.evaluator.refused("older_version") > 0)
    assert copied.ask("a").status_code == 503
    copied.portal.version = version
    copied.publish({"flag/a": flag("a", "right")})
    assert copied.value("a") == "right"
