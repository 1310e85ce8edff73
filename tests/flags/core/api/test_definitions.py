"""``/api/v1/projects/{project}/flags``."""

from typing import Any

import pytest

from flags.models import Flag
from portal.access.models import Environment
from portal.audit.models import AuditEvent
from portal.lib.api import endpoints
from tests.support.people import boolean_flag
from tests.support.script import FLAGS, Script, answer, problem, serve_only_in


def create(script: Script, *keys: str) -> None:
    for key in keys:
        answer(script.post(FLAGS, boolean_flag(key)), 201)


def test_create__a_flag__is_there_and_audited(script: Script) -> None:
    response = script.post(FLAGS, boolean_flag("cart/new"))
    created = answer(response, 201)
    assert created["key"] == "cart/new"
    assert (created["archived"], created["version"], response["ETag"]) == (False, 1, '"1"')
    assert response["Location"] == f"{FLAGS}/cart/new"
    assert answer(script.get(response["Location"])) == created
    event = AuditEvent.objects.get(event="flag.created")
    assert event.actor.startswith("Pipeline (")
    assert (event.actor_kind, event.ip) == ("key", "127.0.0.1")
    assert event.request_id == response["X-Request-ID"]


def test_create__a_key_that_is_taken__names_the_field(script: Script, flag: str) -> None:
    refused = problem(script.post(FLAGS, boolean_flag(flag)), 400)
    message = "There is a flag with this key already; choose another."
    assert refused["errors"] == [{"path": "key", "message": message}]


@pytest.mark.parametrize("body", [{}, [], None, "x", 1, {"key": None}, {"a": {"b": []}}])
def test_create__nonsense__names_what_is_wrong(script: Script, body: object) -> None:
    refused = problem(script.call("POST", FLAGS, body, raw=b"null" if body is None else None), 400)
    assert all(set(error) == {"path", "message"} for error in refused["errors"])
    assert not Flag.objects.exists()


def test_create__fields_that_are_not_the_callers__are_refused_by_name(script: Script) -> None:
    body = boolean_flag() | {"version": 7, "archived": True, "project": "garden", "id": 1}
    refused = problem(script.post(FLAGS, body), 400)
    named = {error["path"] for error in refused["errors"]}
    assert named == {"version", "archived", "project", "id"}


@pytest.mark.parametrize("path", ["a/b", "a%2Fb", "a%2fb"])
def test_read__a_key_with_a_slash__is_found_however_it_is_written(
    script: Script, path: str
) -> None:
    create(script, "a/b")
    assert answer(script.get(f"{FLAGS}/{path}"))["key"] == "a/b"


@pytest.mark.parametrize("key", ["nothing", "%00", "a%00b", "%ff", "..%2Fnew-checkout", "x" * 999])
def test_read__a_key_that_there_is_not__is_404(script: Script, flag: str, key: str) -> None:
    problem(script.get(f"{FLAGS}/{key}"), 404)


def test_list__three_pages__have_each_flag_once(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert endpoints.USUAL == 50
    monkeypatch.setattr(endpoints, "USUAL", 2)
    keys = [f"flag-{number}" for number in range(5)]
    create(script, *keys)
    pages: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        pages.append(answer(script.get(f"{FLAGS}?cursor={cursor}")))
        cursor = pages[-1]["next"]
    assert [len(page["flags"]) for page in pages] == [2, 2, 1]
    assert [flag["key"] for page in pages for flag in page["flags"]] == keys
    assert {page["total"] for page in pages} == {5}


def test_list__search_and_archived__narrow_it(script: Script, production: Environment) -> None:
    create(script, "cart-new", "cart-old", "search")
    serve_only_in(production)
    script.call("DELETE", f"{FLAGS}/cart-old")
    assert _keys(script, "search=CART") == ["cart-new"]
    assert _keys(script, "archived=true") == ["cart-old"]
    assert _keys(script, "archived=0") == ["cart-new", "search"]


def _keys(script: Script, query: str) -> list[str]:
    return [flag["key"] for flag in answer(script.get(f"{FLAGS}?{query}"))["flags"]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("archived=maybe", "archived"),
        ("search=%00", "search"),
        ("search=" + "x" * 1001, "search"),
        ("cursor=%00", "cursor"),
        ("cursor=AA==", "cursor"),
        ("cursor=!", "cursor"),
        ("cursor=_____w==", "cursor"),
        ("cursor=%C3%A9", "cursor"),
    ],
)
def test_list__a_parameter_of_nonsense__is_named(script: Script, query: str, field: str) -> None:
    refused = problem(script.get(f"{FLAGS}?{query}"), 400)
    assert [error["path"] for error in refused["errors"]] == [field]


@pytest.mark.parametrize("content_type", ["application/json", "application/merge-patch+json"])
def test_patch__some_fields__changes_those(script: Script, flag: str, content_type: str) -> None:
    before = answer(script.get(f"{FLAGS}/{flag}"))
    patch = {"name": "Cart", "tags": ["a"], "kind": None}
    response = script.call("PATCH", f"{FLAGS}/{flag}", patch, content_type=content_type)
    after = answer(response)
    assert (after["name"], after["tags"], after["version"]) == ("Cart", ["a"], 2)
    assert response["ETag"] == '"2"'
    unchanged = {"key", "variants", "value_type", "kind", "created_at", "owner"}
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}


def test_patch__from_a_version_that_is_gone__conflicts_with_both_sides(
    script: Script, flag: str
) -> None:
    script.call("PATCH", f"{FLAGS}/{flag}", {"owner": "A"}, if_match='"1"')
    refused = problem(script.call("PATCH", f"{FLAGS}/{flag}", {"owner": "B"}, if_match='"1"'), 409)
    assert (refused["current"]["owner"], refused["yours"]["owner"]) == ("A", "B")
    assert answer(script.get(f"{FLAGS}/{flag}"))["owner"] == "A"


@pytest.mark.parametrize(
    ("patch", "path"),
    [
        ({"key": "other"}, "key"),
        ({"value_type": "string"}, "variants[0].value"),
        ({"variants": None}, "variants"),
        ({"variants": []}, "variants"),
        ({"archived": True}, "archived"),
        ([], ""),
        ("x", ""),
    ],
)
def test_patch__what_cannot_be__names_the_field(
    script: Script, flag: str, patch: object, path: str
) -> None:
    refused = problem(script.call("PATCH", f"{FLAGS}/{flag}", patch), 400)
    assert path in [error["path"] for error in refused["errors"]]


def test_patch__variants_that_an_environment_serves__name_the_environment(
    script: Script, flag: str
) -> None:
    only_on = {"variants": [{"key": "on", "value": True}]}
    refused = problem(script.call("PATCH", f"{FLAGS}/{flag}", only_on), 400)
    paths = [error["path"] for error in refused["errors"]]
    assert paths == ["environments.production.off_variant", "environments"]  # and of others nothing


@pytest.mark.parametrize("tag", ["1", "*", '"x"', '"1", "2"', '"' + "9" * 50 + '"'])
def test_patch__if_match_that_is_no_version__is_named(script: Script, flag: str, tag: str) -> None:
    refused = problem(script.call("PATCH", f"{FLAGS}/{flag}", {}, if_match=tag), 400)
    assert [error["path"] for error in refused["errors"]] == ["If-Match"]


def test_delete__archives_and_may_be_repeated(
    script: Script, flag: str, production: Environment
) -> None:
    serve_only_in(production)
    for _time in range(2):
        response = script.call("DELETE", f"{FLAGS}/{flag}")
        assert (response.status_code, response.content) == (204, b"")
    assert answer(script.get(f"{FLAGS}/{flag}"))["archived"] is True
    assert AuditEvent.objects.filter(event="flag.archived").count() == 1
