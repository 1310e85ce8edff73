"""Which rules were in force a while ago, and how far back that is known."""

import time

import pytest

from flags.channel import Head
from flags.engine import Steps
from flags.evaluator import rule_history
from flags.evaluator.contents import FlagItem, read_content
from flags.evaluator.memory import Environment, Held, Memory
from flags.evaluator.rule_history import KEPT_S, RuleHistory
from tests.flags.evaluator.publisher import Document, flag

ON, OFF = flag("a"), flag("a", fallthrough={"variant": "off"})


class Clock:
    """What time it is."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(rule_history, "time", found)
    return found


class Shop:
    """An environment that changes."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.history = RuleHistory(self.memory)
        self.version = 0

    def publish(self, *documents: Document, published_at: float = 0.0, number: int = 1) -> None:
        self.version += 1
        fields: dict[str, Held] = {}
        items: dict[str, FlagItem] = {}
        for document in documents:
            key = str(document["key"])
            item = read_content(f"flag/{key}", dict(document))
            assert isinstance(item, FlagItem)
            items[key], text = item, repr(document)
            fields[f"flag/{key}"] = Held(self.version, hash(text), item, text.encode())
        head = Head("shop", "production", "live", len(fields), published_at)
        state = Environment(number, "e", self.version, head, b"", fields, {}, items, {})
        self.memory.swap(state)

    def served(self, at: float) -> str | None:
        """The variant of flag "a" then; None where the rules are not known."""
        rules = self.history.rules(self.memory.places[1].state, at)
        if rules is None:
            return None
        compiled = rules.flags.get("a")
        return (
            compiled.evaluate({}, rules.evaluation(at, Steps())).variant if compiled else "no flag"
        )


def test_rules__are_those_of_the_instant(clock: Clock) -> None:
    shop, began = Shop(), clock.now
    for documents in ([flag("b")], [flag("b"), ON], [flag("b"), OFF], [flag("b"), OFF], [OFF], []):
        shop.publish(*documents, published_at=began)
        clock.now += 10
    seen = [shop.served(began + 10 * step + 5) for step in range(6)]
    assert seen == ["no flag", "on", "off", "off", "off", "no flag"]
    known = {one.key for one in shop.history.items(shop.memory.places[1].state, "a")}
    assert known == {"a"}


def test_rules__see_what_their_flags_referred_to_then(clock: Clock) -> None:
    shop, began = Shop(), clock.now
    needs = flag("a", prerequisites=[{"flag": "b", "variants": ["on"]}])
    shop.publish(needs, flag("b"), published_at=began)
    clock.now += 10
    shop.publish(needs, flag("b", enabled=False))
    assert [shop.served(began + 5), shop.served(began + 15)] == ["on", "off"]


def test_the_past__begins_with_what_was_published_before_the_process(clock: Clock) -> None:
    shop = Shop()
    shop.publish(ON, published_at=clock.now - 60)
    assert [shop.served(clock.now - one) for one in (59, 61)] == ["on", None]
    shop = Shop()
    shop.publish(ON, published_at=clock.now + 60)  # the clocks differ
    assert shop.served(clock.now) == "on"


def test_the_past__is_forgotten_once_nobody_may_ask(clock: Clock) -> None:
    shop, began = Shop(), clock.now
    shop.publish(ON, published_at=began)
    clock.now += 10
    shop.publish(OFF)
    assert shop.served(began) == "on"
    clock.now += KEPT_S + 1
    shop.publish(OFF, flag("b"))
    assert shop.served(began) is None
    assert shop.served(began + 11) == "off"


@pytest.mark.parametrize(("bound", "most"), [("MOST_CHANGES", 3), ("MOST_BYTES", 1500)])
def test_the_past__is_bounded_and_says_what_it_does_not_know(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(rule_history, bound, most)
    shop, began = Shop(), clock.now
    shop.publish(flag("other"), number=2)
    for step in range(20):
        shop.publish(ON if step % 2 else OFF, published_at=began)
        clock.now += 1
    seen = [shop.served(began + step + 0.5) for step in range(20)]
    forgotten = seen.count(None)
    assert 0 < forgotten < 20
    assert seen[:forgotten] == [None] * forgotten
    assert seen[forgotten:] == ["on" if step % 2 else "off" for step in range(forgotten, 20)]
