"""What differs between two documents."""

from typing import Any

import pytest

from portal.audit.diffing import MOST, Difference, differences


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [Difference("a", "1", "2")]),
        ({"a": 1}, {"a": True}, [Difference("a", "1", "true")]),
        ({"a": None}, {}, [Difference("a", "null", None)]),
        (None, {"a": {"b": 1}}, [Difference("a", None, '{"b": 1}')]),
        ({"a": {"b": 1}}, None, [Difference("a", '{"b": 1}', None)]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}, [Difference("a.b", "1", "3")]),
        ({"a": [1, 2]}, {"a": [2]}, [Difference("a", "[1, 2]", "[2]")]),
        (
            {"r": [{"id": "x", "v": 1}, {"id": "y", "v": 1}]},
            {"r": [{"id": "y", "v": 2}]},
            [
                Difference("r[x]", '{"id": "x", "v": 1}', None),
                Difference("r[y].v", "1", "2"),
            ],
        ),
        (
            {"r": [{"id": "x"}, {"id": "y"}]},
            {"r": [{"id": "y"}, {"id": "x"}]},
            [Difference("r", '["[x]", "[y]"]', '["[y]", "[x]"]')],
        ),
        (None, None, []),
    ],
)
def test_differences__are_the_places_that_differ(
    before: Any, after: Any, expected: list[Difference]
) -> None:
    assert differences(before, after) == expected


def test_differences__of_very_different_documents__end_somewhere() -> None:
    assert len(differences({str(n): n for n in range(9999)}, {})) == MOST
