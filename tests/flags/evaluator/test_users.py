"""What counting users may take in memory and in Redis, and what Redis is told."""

import asyncio
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as Away

from flags.channel import Sealer
from flags.evaluator import users
from flags.evaluator.users import UserCounter

SEALER = Sealer(b"k" * 32)


class Link:
    """A Redis that keeps what it is told."""

    def __init__(self) -> None:
        self.found: dict[str, list[bytes]] = {}
        self.calls: list[int] = []
        self.is_away = False

    async def add_users(self, told: dict[str, list[bytes]]) -> None:
        if self.is_away:
            raise Away
        self.calls.append(sum(map(len, told.values())))
        for name, hashes in told.items():
            self.found.setdefault(name.split(":", 5)[5], []).extend(hashes)


def tell(gathered: UserCounter, link: Link) -> dict[str, list[bytes]]:
    """What is new of it, by kind of key and flag."""
    link.found = {}
    asyncio.run(gathered.tell(cast(Any, link), SEALER))
    return link.found


def test_a_user__is_told_once_of_each_flag_and_never_as_they_are() -> None:
    gathered, link = UserCounter(), Link()
    tell(gathered, link)
    for flag in ("a", "a", "b", ""):
        for user in ("ann", "bob", "ann", None, ""):
            gathered.note(1, flag, user, is_client=False)
    gathered.note(1, "a", "ann", is_client=True)
    found = tell(gathered, link)
    ann, bob = SEALER.hash_user("ann"), SEALER.hash_user("bob")
    assert found == {
        "server:a": [ann, bob],
        "server:b": [ann, bob],
        "server:": [ann, bob],
        "client:a": [ann],
    }
    assert len(ann) == 8
    gathered.note(1, "a", "ann", is_client=False)
    assert tell(gathered, link) == {}


def test_users_without_end__are_bounded_and_told_some_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(users, "MOST_NEW", 1200)
    monkeypatch.setattr(users, "MOST_KNOWN", 1300)
    monkeypatch.setattr(users, "MOST_FLAGS", 2)
    gathered, link = UserCounter(), Link()
    tell(gathered, link)
    for number in range(2000):
        gathered.note(1, "a", str(number), is_client=False)
    assert len(tell(gathered, link)["server:a"]) == 1200
    assert max(link.calls) <= 2 * users.AT_ONCE
    for flag in ("b", "c"):
        for number in range(200):
            gathered.note(1, flag, str(number), is_client=False)
    gathered.note(2, "c", "ann", is_client=False)
    assert {name: len(one) for name, one in tell(gathered, link).items()} == {
        "server:b": 200,
        "server:c": 1,
    }


def test_users__that_redis_did_not_take_are_told_when_they_come_again() -> None:
    gathered, link = UserCounter(), Link()
    link.is_away = True
    gathered.note(1, "a", "ann", is_client=False)
    assert tell(gathered, link) == {}
    link.is_away = False
    gathered.note(1, "a", "ann", is_client=False)
    assert len(tell(gathered, link)["server:a"]) == 1
