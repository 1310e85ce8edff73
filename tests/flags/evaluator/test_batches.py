"""A batch that is read in pieces says what it says as a whole."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.evaluator import batches
from flags.evaluator.batches import Batch
from flags.evaluator.body import BadBody
from flags.evaluator.framing import RequestLimits

PIECE = 20
tricky = st.text(st.sampled_from('}{,"[]\\: a\u20ac\n'), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | tricky,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(tricky, inner, max_size=3),
    max_leaves=8,
)
outcomes = st.lists(st.dictionaries(tricky, values, max_size=3) | values, max_size=12)
separators = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")])


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(batches, "PIECE_BYTES", PIECE)
        yield


def read(raw: bytes, most: int = 100) -> tuple[str, list[object]] | str:
    """The id and the outcomes, or why it is refused."""
    batch = Batch(raw, RequestLimits(telemetry_outcomes=most))
    try:
        found = [one for piece in batch.pieces() for one in piece]
    except BadBody as bad:
        return bad.details
    return batch.id, found


@given(outcomes, separators, st.booleans())
def test_any_batch__is_read_as_a_whole(
    told: list[Any], separators: tuple[str, str], id_first: bool
) -> None:
    document: dict[str, object] = {"batch_id": "b"} if id_first else {}
    document |= {"outcomes": told, "batch_id": "b"}
    raw = json.dumps(document, separators=separators, ensure_ascii=False).encode()
    assert read(raw) == ("b", told)


@given(outcomes, st.data())
def test_any_broken_batch__is_refused_in_the_words_for_the_whole(
    told: list[Any], data: st.DataObject
) -> None:
    raw = json.dumps({"outcomes": told, "batch_id": "b"}).encode()
    cut = data.draw(st.integers(0, len(raw) - 1))
    broken = data.draw(st.sampled_from([raw[:cut], raw[:cut] + raw[cut + 1 :], raw + b"]"]))
    found = read(broken)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(batches, "PIECE_BYTES", len(raw) + 1)
        assert found == read(broken)


def test_members_given_twice__are_refused_wherever_they_stand() -> None:
    some = ",".join(['{"a": 1}'] * 9)
    for body in (
        f'{{"batch_id": "b", "outcomes": [{some}], "batch_id": "c"}}',
        f'{{"outcomes": [{some}], "outcomes": [{some}]}}',
        f'{{"outcomes": [{some}, {{"a": 1, "a": 2}}, {some}]}}',
    ):
        assert "duplicate member" in str(read(body.encode()))


def test_large_batch__comes_in_pieces_and_is_refused_where_it_has_too_many() -> None:
    raw = json.dumps({"outcomes": [{"a": 1}] * 50}).encode()
    assert len(list(Batch(raw, RequestLimits()).pieces())) > 10
    assert read(raw, most=49) == "a batch has at most 49 outcomes"
