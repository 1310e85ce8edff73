"""Groups of releases over the API, by a key of their environment."""

import time
from typing import Any

import pytest

from portal.access.models import Environment, User
from releases.core.models import Release, ReleaseGroup
from tests.releases.api.asking import RELEASES, paths
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.grouping import KEYS, a_group, a_member, look, members, pass_time
from tests.support.releasing import ERRORS, PLAN, outcomes
from tests.support.script import PROJECT, Script, answer, issue, problem

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
GROUPS = f"{PROJECT}/release-groups"


@pytest.fixture
def body(production: Environment) -> dict[str, Any]:
    plan = PLAN | {"proof_of_return": False}
    documents = [a_member(production, key, plan=plan, checks=(ERRORS,)) for key in KEYS]
    return {"name": "checkout", "members": documents, "reason": "one checkout"}


def made(script: Script, body: dict[str, Any]) -> ReleaseGroup:
    found = answer(script.post(GROUPS, body), 201)
    group = ReleaseGroup.objects.select_related("project").get(pk=found["number"])
    look(group)
    return group


def test_a_group__is_planned_started_read_and_listed(script: Script, body: dict[str, Any]) -> None:
    group = made(script, body)
    found = answer(script.get(f"{GROUPS}/{group.pk}"))
    assert (found["name"], found["reason"], found["state"]) == (
        "checkout",
        "one checkout",
        "running",
    )
    names = ("service", "position", "step", "steps", "state")
    rows = [tuple(one[name] for name in names) for one in found["members"]]
    assert rows == [(key, number, 0, 3, "running") for number, key in enumerate(KEYS)]
    number = found["members"][1]["number"]
    assert answer(script.get(f"{RELEASES}/{number}"))["group"] == group.pk
    listed = answer(script.get(GROUPS))
    assert [one["number"] for one in listed["release_groups"]] == [group.pk]
    refused = problem(script.post(f"{RELEASES}/{number}/commands/promote", {}), 400)
    assert refused["detail"] == "It moves with its group “checkout”: promote the group."


def test_a_group__says_who_lags_and_what_takes_it_back(
    script: Script, body: dict[str, Any]
) -> None:
    group = made(script, body)
    for position in (0, 1):
        pass_time(group, 61, only=position)
    for one in members(group)[:2]:
        outcomes(one, 200)
    look(group)
    found = answer(script.get(f"{GROUPS}/{group.pk}"))["members"]
    mail = found[2]["number"]
    waits = f"Waits for release {mail}, mail 2.0: it has not finished step 1 yet."
    assert [[hold["words"] for hold in one["holds"]] for one in found] == [[waits], [waits], []]
    outcomes(members(group)[2], 200, errors=100)
    look(group)
    found = answer(script.get(f"{GROUPS}/{group.pk}/wait?until=finished"))
    assert (found["state"], found["failed"], found["stay"]) == ("rolled_back", mail, [])
    words = [one["outcome_words"] for one in found["members"]]
    assert words[0] == "Rolled back with its group, because of mail 2.0."


def test_commands__tell_all_members(script: Script, body: dict[str, Any]) -> None:
    group = made(script, body | {"hold": True})
    at = f"{GROUPS}/{group.pk}"
    assert answer(script.get(at))["state"] == "planned"
    assert not problem(script.post(f"{at}/commands/pause", {}), 400)["detail"].endswith("500")
    assert answer(script.post(f"{at}/commands/start", {}))["state"] == "waiting"
    look(group)
    assert answer(script.post(f"{at}/commands/pause", {}))["state"] == "paused"
    assert answer(script.post(f"{at}/commands/resume", {}))["state"] == "running"
    refused = problem(script.post(f"{at}/commands/promote", {}), 400)
    assert refused["detail"] == "No member waits at a gate."
    problem(script.post(f"{at}/commands/resume", {"supersede": True}), 400)
    problem(script.post(f"{at}/commands/jump", {}), 404)
    done = answer(script.post(f"{at}/commands/rollback", {"reason": "blank pages"}))
    assert (done["state"], done["failed"]) == ("rolled_back", None)
    assert answer(script.post(f"{at}/commands/rollback", {}))["state"] == "rolled_back"
    problem(script.post(f"{at}/commands/start", {}), 400)


def test_waiting__ends_when_the_group_is_over(
    script: Script, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    group = made(script, body)
    wait = f"{GROUPS}/{group.pk}/wait"

    def sleep(_seconds: float) -> None:
        outcomes(members(group)[0], 200, errors=100)
        look(group)

    monkeypatch.setattr(time, "sleep", sleep)
    assert answer(script.get(f"{wait}?timeout_s=0"))["state"] == "running"
    assert answer(script.get(f"{wait}?until=finished&timeout_s=60"))["state"] == "rolled_back"
    problem(script.get(f"{wait}?until=later"), 400)


def test_what_people_have_to_agree_to__is_named_by_each_member(
    script: Script, body: dict[str, Any], production: Environment
) -> None:
    set_policy(production, **TWO_ROLES)
    group = made(script, body)
    found = answer(script.get(f"{GROUPS}/{group.pk}"))
    assert found["state"] == "planned"
    assert [len(one["waits_for"]) for one in found["members"]] == [1, 1, 1]


def test_a_key__reaches_no_group_with_members_elsewhere(
    script: Script, body: dict[str, Any], staging: Environment, alice: User
) -> None:
    spans = a_group(
        staging, alice, body["members"][0], a_member(staging, "search"), a_member(staging, "ads")
    )
    problem(script.get(f"{GROUPS}/{spans.pk}"), 404)
    problem(script.post(f"{GROUPS}/{spans.pk}/commands/rollback", {}), 404)
    look(spans)
    pass_time(spans, 61, only=0)
    outcomes(members(spans)[0], 200)
    look(spans)
    own = answer(script.get(f"{RELEASES}/{members(spans)[0].pk}"))
    (hold,) = own["holds"]
    assert hold["words"] == "It waits for the others of its group."
    assert "search" not in str(own)
    other = Script(issue(staging))
    problem(other.post(GROUPS, body), 403)
    numbers = {"members": [{"release": one.pk} for one in members(spans)], "name": "x"}
    assert paths(problem(other.post(GROUPS, numbers), 400)) == ["members[0].release"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"members": []}, "members"),
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"owner": "me"}, "owner"),
        ({"members": [{"environment": "production"}, {"release": "one"}]}, "members[1].release"),
        ({"members": [{"environment": "nowhere"}] * 2}, "members[0].environment"),
        ({"members": [{}, {}]}, "members[0].environment"),
    ],
)
def test_bad_input__is_refused_by_its_path_and_keeps_nothing(
    script: Script, body: dict[str, Any], change: dict[str, Any], path: str
) -> None:
    refused = problem(script.post(GROUPS, body | change), 400)
    assert path in paths(refused)
    assert not Release.objects.exists()


def test_a_version_that_is_no_version__is_named_by_its_member(
    script: Script, body: dict[str, Any]
) -> None:
    body["members"][1]["artefact"]["version"] = "a b"
    refused = problem(script.post(GROUPS, body), 400)
    assert paths(refused) == ["members[1].artefact.version"]
    assert not Release.objects.exists()
