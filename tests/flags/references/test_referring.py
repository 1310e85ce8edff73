"""What may refer to what, by the cases; and two writes at once that together would not do."""

import json
from pathlib import Path
from typing import Any

import pytest

from flags.engine import Mention, Named
from flags.models import FlagConfiguration, Segment
from flags.references.referring import InUse, Neighbours, problems_of
from portal.access.models import User
from portal.lib.errors import Conflict, Invalid
from tests.support import concurrently
from tests.support.bench import Bench

CASES = Path(__file__).parents[2] / "cases" / "engine" / "references.json"


@pytest.mark.parametrize("case", json.loads(CASES.read_text())["checks"], ids=lambda c: c["name"])
def test_references__are_refused_where_they_lead_nowhere(case: dict[str, Any]) -> None:
    mentions = [
        Mention(path, Named(kind), key, tuple(variants))
        for path, kind, key, variants in case["mentions"]
    ]
    flags, slots, graph = (
        {key: frozenset(value) for key, value in case.get(name, {}).items()}
        for name in ("flags", "slots", "graph")
    )
    neighbours = Neighbours(flags=flags, slots=slots, graph=graph)
    assert problems_of(case["key"], mentions, neighbours) == case["problems"]


def test_a_chain_of_flags__is_as_long_as_allowed_whoever_makes_it_longer() -> None:
    graph = {f"f{n}": frozenset({f"f{n + 1}"}) for n in range(20)}
    for key in ("f0", "f10"):
        asked = f"f{int(key[1:]) + 1}"
        mentions = [Mention("p", Named.FLAG, asked, ("on",))]
        flags = {asked: frozenset({"on"})}
        assert "p" in problems_of(key, mentions, Neighbours(flags=flags, graph=graph))
        shorter = {name: named for name, named in graph.items() if name != "f19"}
        assert problems_of(key, mentions, Neighbours(flags=flags, graph=shorter)) == {}


@pytest.mark.django_db(transaction=True)
def test_two_flags__asking_each_other_at_once__never_close_the_circle(bench: Bench) -> None:
    two = bench.flag("two")
    outcomes = concurrently.run(
        lambda: bench.ask(bench.desk.flag, two), lambda: bench.ask(two, bench.desk.flag)
    )
    (refused,) = (one for one in outcomes if one is not None)
    assert isinstance(refused, Invalid), refused
    rows = FlagConfiguration.objects.all()
    asking = [row for row in rows if row.document.get("prerequisites")]
    assert len(asking) == 1


@pytest.mark.django_db(transaction=True)
def test_a_segment__deleted_while_somebody_starts_to_use_it__is_one_or_the_other(
    bench: Bench, alice: User
) -> None:
    segment = bench.segment()
    outcomes = concurrently.run(lambda: bench.delete(segment, alice), lambda: bench.use(segment))
    (refused,) = (one for one in outcomes if one is not None)
    assert isinstance(refused, Invalid | InUse), refused
    assert Segment.objects.exists() == bool(bench.desk.configuration.document["rules"])


@pytest.mark.django_db(transaction=True)
def test_two_people__adding_keys_at_once__add_them_all(
    bench: Bench, alice: User, dana: User
) -> None:
    segment = bench.segment()
    outcomes = concurrently.run(
        lambda: bench.keys(segment, alice, "a"), lambda: bench.keys(segment, dana, "d")
    )
    assert not [one for one in outcomes if isinstance(one, Conflict)]
    assert Segment.objects.get().included.keys == ("a", "d")
