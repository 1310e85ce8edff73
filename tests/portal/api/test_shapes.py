"""Shapes: one declaration reads bodies, dumps rows and describes both."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from rest_framework.test import APIRequestFactory

from portal.lib.api.shapes import MOMENT, OBJECT, OBJECTS, TEXT, TEXTS, VERSIONS, WHOLE, Shape
from portal.lib.api.views import ApiView
from portal.lib.errors import Invalid
from tests.flags.engine.documents import any_json, relaxed

ARTEFACT = Shape("TestArtefact", {"version": TEXT(), "commit": TEXT(optional=True)})
RELEASE = Shape(
    "TestRelease",
    {
        "service": TEXT(),
        "artefact": ARTEFACT.one(),
        "steps": ARTEFACT.many(optional=True),
        "at": MOMENT(optional=True, nullable=True),
        "weight": WHOLE(optional=True),
        "labels": TEXTS(optional=True),
        "seen": VERSIONS(optional=True),
        "plan": OBJECT(optional=True),
        "checks": OBJECTS(optional=True),
    },
)
GOOD: dict[str, Any] = {"service": "cart", "artefact": {"version": "1"}}


def problems_of(body: object) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        RELEASE.read(body)
    return caught.value.problems


def test_read__everything_is_wrong__says_so_at_once_with_paths() -> None:
    body = {
        "artefact": {"version": 1, "color": "red"},
        "steps": [{"version": "1"}, {}, 7],
        "at": "2026-06-31T00:00:00Z",
        "weight": True,
        "labels": ["a", 1],
        "seen": {"a": -1},
        "plan": [],
        "checks": [{}, 1],
        "extra" * 40: 1,
    }
    assert problems_of(body) == {
        ("extra" * 40)[:100]: "There is no such field.",
        "service": "This is missing.",
        "artefact.color": "There is no such field.",
        "artefact.version": "Send a text.",
        "steps[1].version": "This is missing.",
        "steps[2]": "Send an object with version, commit.",
        "at": "Send a time with its zone, like 2026-01-31T12:00:00Z.",
        "weight": "Send a whole number.",
        "labels": "Send a list of texts.",
        "seen": "Send an object with a version for each.",
        "plan": "Send an object.",
        "checks": "Send a list of objects.",
    }
    assert problems_of(GOOD | {"service": None, "steps": {}}) == {
        "service": "Send a text.",
        "steps": "Give a list.",
    }


def test_read__good_body__has_what_was_sent_and_nothing_else() -> None:
    assert RELEASE.read(GOOD) == GOOD
    found = RELEASE.read(GOOD | {"at": "2026-01-31T12:00:00+01:00", "steps": [{"version": "2"}]})
    assert found["at"] == datetime(2026, 1, 31, 11, tzinfo=UTC)
    assert found["steps"] == ({"version": "2"},)
    assert RELEASE.read(GOOD | {"at": None})["at"] is None


@relaxed
@given(any_json)
def test_read__any_json__is_read_or_refused_in_sentences(document: object) -> None:
    for body in (document, GOOD | {"steps": document}, GOOD | {"artefact": document}):
        try:
            RELEASE.read(body)
        except Invalid as wrong:
            assert all(text.endswith(".") for text in wrong.problems.values())  # noqa: PT017


def test_dump__row__has_its_fields_in_order_what_is_given_and_what_is_stored() -> None:
    line = Shape(
        "TestLine",
        {
            "id": WHOLE(of="pk"),
            "flag": TEXT(),
            "note": TEXT(optional=True),
            "at": MOMENT(),
            "owner": TEXT(of="owner.name", nullable=True),
            "parts": ARTEFACT.many(of=lambda row: row.releases),
            "total": WHOLE(),
        },
        stored="document",
    )
    row = SimpleNamespace(
        pk=7,
        at=datetime(2026, 1, 31, tzinfo=UTC),
        owner=None,
        releases=[SimpleNamespace(version=2)],
        document={"flag": "cart", "unknown": True},
    )
    found = line.dump(row, total=3)
    assert list(found.items()) == [
        ("id", 7),
        ("flag", "cart"),
        ("at", "2026-01-31T00:00:00+00:00"),
        ("owner", None),
        ("parts", [{"version": "2"}]),
        ("total", 3),
        ("unknown", True),
    ]


def test_two_shapes_of_one_name__are_refused_when_they_are_made() -> None:
    with pytest.raises(ValueError, match="another shape called TestRelease"):
        Shape("TestRelease", {})


@pytest.mark.parametrize("method", ["DISPATCH", "INITIAL", "GET_PARSERS", "TRACE", "PATCH"])
def test_a_method_that_is_none__is_405(method: str) -> None:
    """Whatever else the view happens to have by that name."""

    class Reading(ApiView):
        authentication_classes: list[type] = []
        permission_classes: list[Any] = []

        def get(self, request: object) -> None:
            raise AssertionError("never asked")

    request = APIRequestFactory().generic(method, "/api/v1/nothing")
    assert Reading.as_view()(request).status_code == 405
