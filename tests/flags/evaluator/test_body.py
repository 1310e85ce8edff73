"""Bodies, without a server."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.evaluator import body
from flags.evaluator.body import BadBody, read_context
from flags.evaluator.framing import DEFAULT_LIMITS, RequestLimits

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


def _is_fit(tree: object) -> bool:
    return "\\u0000" not in json.dumps(tree)


@given(st.dictionaries(st.text(max_size=3), trees).filter(_is_fit))
def test_a_body_without_duplicates_is_read_as_it_is(context: dict[str, object]) -> None:
    context.pop("targetingKey", None)
    assert read_context(json.dumps({"context": context}).encode(), DEFAULT_LIMITS) == context


@given(st.text(max_size=5).filter(_is_fit), scalars.filter(_is_fit), scalars.filter(_is_fit))
def test_a_duplicate_is_refused_wherever_it_stands(name: str, one: object, two: object) -> None:
    member = json.dumps(name)
    twice = f'{{"a:b": [{{{member}: {json.dumps(one)}, {member}: {json.dumps(two)}}}]}}'
    with pytest.raises(BadBody, match="duplicate"):
        read_context(f'{{"context": {twice}}}'.encode(), DEFAULT_LIMITS)


# It would not end if each quotation mark were tried as the beginning of a text.
def test_a_text_that_nothing_closes_is_refused_like_any_other_body() -> None:
    body = b"{" + b"," * 10_000 + b'"' + rb"\"" * 500_000
    with pytest.raises(BadBody):
        read_context(body, DEFAULT_LIMITS)


def test_a_body_that_trickles_in_is_given_up_on() -> None:
    parts = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> dict[str, Any]:
        if not parts:
            await asyncio.sleep(60)
        return parts.pop()

    with pytest.raises(BadBody) as refused:
        asyncio.run(body.read_body(receive, RequestLimits(body_s=0.05)))
    assert refused.value.status == 408
