"""Documents in forms: from names of inputs to the document."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies as st

from portal.lib.web.pages import nest

NAMES = st.sampled_from(["a", "b", "rules", "when", "äö", "0", "-1"])
LEAVES = st.text(max_size=5)
# What a form can say: no empty lists or objects, since they have no input.
DOCUMENTS = st.dictionaries(
    NAMES,
    st.recursive(
        LEAVES,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=4)
            | st.dictionaries(NAMES, inner, min_size=1, max_size=3)
        ),
        max_leaves=10,
    ),
    max_size=4,
)
HOSTILE = st.text(st.sampled_from("ab.[]0123456789-\0 ") | st.characters(), max_size=20)


def inputs(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The names and values of a form's inputs, for a document."""
    if isinstance(node, dict):
        for name, inner in node.items():
            yield from inputs(inner, f"{path}.{name}" if path else name)
    elif isinstance(node, list):
        for index, inner in enumerate(node):
            yield from inputs(inner, f"{path}[{index}]")
    else:
        yield path, node


@given(DOCUMENTS)
def test_every_document_comes_back_from_its_inputs(document: dict[str, Any]) -> None:
    assert nest(inputs(document)) == document


@given(DOCUMENTS, st.randoms())
def test_the_order_of_the_inputs_does_not_matter(document: dict[str, Any], random: Any) -> None:
    shuffled = list(inputs(document))
    random.shuffle(shuffled)
    assert nest(shuffled) == document


@given(st.lists(st.tuples(HOSTILE, LEAVES), max_size=10))
def test_no_name_can_break_it(pairs: list[tuple[str, str]]) -> None:
    document = nest(pairs)
    assert isinstance(document, dict)
    assert all(isinstance(name, str) for name in document)


@given(st.sets(st.integers(0, 999_999), min_size=1, max_size=6))
def test_gaps_are_closed_in_order(places: set[int]) -> None:
    document = nest((f"rules[{place}].id", str(place)) for place in places)
    assert document == {"rules": [{"id": str(place)} for place in sorted(places)]}


@pytest.mark.parametrize(
    ("pairs", "document"),
    [
        ([("a", "1"), ("a", "2")], {"a": "2"}),
        ([("a", "1"), ("a.b", "2")], {"a": "1"}),
        ([("a.b", "1"), ("a", "2")], {"a": "2"}),
        ([("a[0]", "x"), ("a.b", "y")], {"a": {"0": "x", "b": "y"}}),
        ([("", "1"), ("...", "2"), ("[]", "3")], {}),
        ([("[0]", "x")], {"0": "x"}),
        ([("a[1234567]", "x")], {"a": {"1234567": "x"}}),
    ],
)
def test_contradictions(pairs: list[tuple[str, str]], document: dict[str, object]) -> None:
    assert nest(pairs) == document


def test_endless_names_are_ignored() -> None:
    assert nest([(".".join("a" * 100_000), "x"), ("b", "y")]) == {"b": "y"}


def test_the_deepest_condition_there_may_be_is_not() -> None:
    path = "rules[0].when" + ".conditions[0]" * 20 + ".values"
    assert list(inputs(nest([(path, "x")]))) == [(path, "x")]
