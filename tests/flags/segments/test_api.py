"""Segments and exclusion groups over HTTP, with an admin key."""

import json

import pytest

from portal.access.models import Environment, Project
from tests.support.bench import Bench
from tests.support.script import PROJECT, Script, answer, issue, problem

SEGMENTS = f"{PROJECT}/segments"
KEYS = f"{PROJECT}/segment-keys/included/beta"
GROUPS = f"{PROJECT}/exclusion-groups"


@pytest.fixture
def script(bench: Bench) -> Script:
    return Script(issue(bench.desk.environment))


def test_a_segment__from_its_creation_to_its_end(script: Script, bench: Bench) -> None:
    made = script.post(SEGMENTS, {"key": "beta", "included": ["alice"]})
    assert answer(made, 201)["included"]["count"] == 1
    assert made["Location"] == SEGMENTS + "/beta"
    edited = script.call("PATCH", f"{SEGMENTS}/beta", {"name": "Beta"}, if_match='"1"')
    assert (answer(edited)["name"], edited["ETag"]) == ("Beta", '"2"')
    problem(script.call("PATCH", f"{SEGMENTS}/beta", {"name": "B"}, if_match='"1"'), 409)
    assert [one["key"] for one in answer(script.get(SEGMENTS))["segments"]] == ["beta"]
    bench.segment("staff", when={"segment": "beta"})
    in_use = problem(script.call("DELETE", f"{SEGMENTS}/beta"), 409)
    assert in_use["used_by"] == [{"kind": "segment", "key": "staff", "environments": []}]
    assert script.call("DELETE", f"{SEGMENTS}/staff").status_code == 204


def test_keys__as_json_and_as_csv(script: Script, bench: Bench) -> None:
    bench.segment(excluded=["eve"])
    added = answer(script.post(KEYS, {"keys": ["alice", "bob", "eve", "bob"]}))
    assert (added["added"], added["conflicts"], added["doubles"]) == (2, ["eve"], 1)
    file = script.post(f"{KEYS}?mode=replace", raw=b"key\nzoe\nyan\n", content_type="text/csv")
    assert (answer(file)["total"], answer(file)["removed"]) == (2, 2)
    assert answer(script.get(f"{KEYS}?search=z"))["keys"] == ["zoe"]
    wrong = problem(script.post(KEYS, {"keys": ["ok", "", 7]}), 400)
    assert [one["path"] for one in wrong["errors"]] == ["keys[1]", "keys[2]"]
    bodies: list[object] = [
        {"keys": "alice"},
        {"keys": [], "terms": 1},
        {"keys": [], "mode": "x"},
        [],
        None,
    ]
    for body in bodies:
        problem(script.post(KEYS, body), 400)


def test_a_segment_of_another_project__is_not_there(
    bench: Bench, garden: Project, production: Environment
) -> None:
    bench.segment()
    stranger = Script(issue(garden.environments.get(key="development")))
    for path in (f"{SEGMENTS}/beta", KEYS, SEGMENTS):
        problem(stranger.get(path), 404)
    theirs = KEYS.replace("/shop/", "/garden/")
    problem(stranger.post(theirs, {"keys": ["gnome"]}), 404)


def test_an_exclusion_group__names_the_place_that_is_taken(script: Script) -> None:
    slots = [{"flag": "new-checkout", "from": 0, "to": 60}]
    answer(script.post(GROUPS, {"key": "g", "slots": slots}), 201)
    wrong = problem(script.call("PATCH", f"{GROUPS}/g", {"holdout": 50}), 400)
    assert [one["path"] for one in wrong["errors"]] == ["holdout"]
    assert answer(script.call("PATCH", f"{GROUPS}/g", {"holdout": 40}))["holdout"] == 40.0
    assert json.loads(script.get(GROUPS).content)["groups"][0]["key"] == "g"
    assert script.call("DELETE", f"{GROUPS}/g").status_code == 204
