"""Releases through the management API: planned, started, steered, waited for and told of."""

from typing import Any

import pytest

from flags.segments.services import create_segment
from portal.access.models import Environment, User
from portal.approvals.models import ChangeRequest
from portal.lib.journal import Intent
from releases.api.releases import COMMAND, taken_by
from releases.catalogue.models import Artefact, Service
from releases.core import commands
from releases.core.models import Release
from tests.releases.api.asking import RELEASES, paths, put, started
from tests.support.agreeing import TWO_ROLES, set_policy, vote
from tests.support.people import SETTING_UP
from tests.support.releasing import (
    DIGEST,
    PLAN,
    fresh,
    let_pass,
    outcomes,
    routing,
    tick,
    to_everybody,
)
from tests.support.script import PROJECT, Script, answer, issue, problem

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


def test_a_release__starts_at_once_and_says_where_it_is(
    script: Script, body: dict[str, Any]
) -> None:
    response = script.post(RELEASES, body)
    made = answer(response, 201)
    where = f"{RELEASES}/{made['number']}"
    assert response["Location"] == where
    assert (made["state"], made["step"], made["steps"]) == ("running", 0, 3)
    assert made["weights"] == {"2.0": 5, "stable": 95}
    assert made["artefact"] | body["artefact"] == made["artefact"]
    assert (made["stable"], made["outcome"], made["holds"]) == (None, "", [])
    (check,) = made["checks"]
    assert (check["key"], check["from"], check["verdict"]) == ("errors", "service", None)
    release = Release.objects.select_related("project").get(pk=made["number"])
    let_pass(release, 61)
    (hold,) = answer(script.get(where))["holds"]
    assert (hold["cause"], hold["wanting"]) == ("no_data", 100)
    assert hold["words"] == "The check “errors” needs 100 more requests before it can be judged."
    outcomes(release, 200, errors=30)
    tick(release)
    over = answer(script.get(where))
    assert (over["state"], over["outcome"]) == ("rolled_back", "rolled_back")
    assert over["weights"] == {"2.0": 0, "stable": 100}
    assert over["because"]["check"] == "errors"
    assert over["outcome_words"].startswith("Rolled back by the check “errors”: 15 % errors")
    assert over["links"]["wait"] == f"{where}/wait"


def test_a_release__held_or_for_later__starts_when_it_is_told_to(
    script: Script, body: dict[str, Any]
) -> None:
    held = answer(script.post(RELEASES, body | {"hold": True}), 201)
    assert (held["state"], held["weights"]) == ("planned", {})
    later = body | {"not_before": "2099-01-01T00:00:00Z"}
    planned = answer(script.post(RELEASES, later), 201)
    assert (planned["state"], planned["not_before"]) == ("planned", "2099-01-01T00:00:00+00:00")
    told = answer(script.post(f"{RELEASES}/{held['number']}/commands/start", {"reason": "now"}))
    assert told["state"] == "running"


def test_commands__steer_it_and_say_what_they_take(script: Script, body: dict[str, Any]) -> None:
    release = started(script, body)
    tell = f"{RELEASES}/{release.pk}/commands"
    assert answer(script.post(f"{tell}/pause"))["state"] == "paused"
    assert answer(script.post(f"{tell}/resume", {"reason": "ok"}))["state"] == "running"
    assert answer(script.post(f"{tell}/promote"))["weights"] == {"2.0": 50, "stable": 50}
    assert paths(problem(script.post(f"{tell}/jump_back", {}), 400)) == ["step"]
    assert paths(problem(script.post(f"{tell}/pause", {"step": 0}), 400)) == ["step"]
    assert paths(problem(script.post(f"{tell}/dismiss", {"check": "errors"}), 400)) == [""]
    assert answer(script.post(f"{tell}/jump_back", {"step": 0}))["step"] == 0
    assert paths(problem(script.post(f"{tell}/promote_fully", {}), 400)) == ["reason"]
    problem(script.post(f"{tell}/note"), 404)
    assert answer(script.post(f"{tell}/rollback"))["state"] == "rolled_back"
    assert answer(script.post(f"{tell}/rollback"))["state"] == "rolled_back"
    assert routing(release) == {"variant": "blue"}
    assert problem(script.post(f"{tell}/resume"), 400)["detail"] == "It is rolled back."


def test_all_that_commands_take__can_be_sent() -> None:
    taken = {name for command in commands.TELL for name in taken_by(command)}
    assert taken | {"reason"} == set(COMMAND.fields)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"service": "nothing"}, "service"),
        ({"environment": "moon"}, "environment"),
        ({"environment": None}, "environment"),
        ({"strategy": "red_black"}, "strategy"),
        ({"plan": {"steps": []}}, "plan.steps"),
        ({"plan": {"steps": [{"share": 1}] * 10_000}}, "plan.steps"),
        ({"plan": {"steps": [{"share": 50}, {"share": 5}]}}, "plan.steps[1].share"),
        ({"plan": {"steps": [{"share": -1}]}}, "plan.steps[0].share"),
        ({"artefact": {"version": "2.0"}}, "artefact.digest"),
        ({"artefact": {"version": "2.0", "digest": "sha256:zz"}}, "artefact.digest"),
        ({"artefact": {"version": "stable", "digest": DIGEST}}, "artefact.version"),
        ({"artefact": {"version": "green", "digest": DIGEST}}, "artefact.version"),
        ({"plan": PLAN | {"cohorts": ["staff", "nobody"]}}, "plan.cohorts[1]"),
        ({"plan": PLAN | {"cohorts": ["staff", "staff"]}}, "plan.cohorts[1]"),
        ({"not_before": "tomorrow"}, "not_before"),
        ({"not_before": "9999-12-31T23:59:59-14:00"}, "not_before"),
        ({"hold": "yes"}, "hold"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_release_that_is_wrong__is_refused_and_nothing_is_kept(
    script: Script, service: Service, body: dict[str, Any], change: dict[str, Any], path: str
) -> None:
    create_segment(project=service.project, document={"key": "staff"}, intent=Intent(SETTING_UP))
    refused = problem(script.post(RELEASES, body | change), 400)
    assert path in paths(refused)
    asked = {name: one for name, one in (body | change).items() if name not in ("reason", "hold")}
    assert path == "hold" or path in paths(problem(script.post(f"{RELEASES}/preview", asked), 400))
    assert not Release.objects.exists()
    assert not Artefact.objects.exists()


def test_a_second_release__is_refused_or_supersedes_the_first(
    script: Script, body: dict[str, Any]
) -> None:
    first = started(script, body)
    other_digest = body | {"artefact": {"version": "2.0", "digest": DIGEST.replace("aa", "bb")}}
    assert "has the digest" in problem(script.post(RELEASES, other_digest), 409)["detail"]
    second = body | {"artefact": {"version": "2.1", "digest": DIGEST}}
    refused = problem(script.post(RELEASES, second), 409)
    assert refused["current"] == {"release": first.pk}
    assert Release.objects.get() == first
    assert started(script, second | {"supersede": True}).state == "running"
    assert fresh(first).state == "superseded"


def test_a_request_that_is_sent_again__makes_one_release(
    script: Script, body: dict[str, Any]
) -> None:
    sent = [script.post(RELEASES, body, Idempotency_Key="build-7") for _time in range(2)]
    first, again = [answer(one, 201) for one in sent]
    assert first == again
    assert Release.objects.count() == 1


def test_where_people_have_to_agree__the_release_is_there_and_starts_by_itself(
    production: Environment, body: dict[str, Any], alice: User, erin: User, frank: User
) -> None:
    set_policy(production, **TWO_ROLES)
    script = Script(issue(production, owner=alice))
    waits = problem(script.post(RELEASES, body), 409)
    where = f"{RELEASES}/{waits['release']}"
    found = answer(script.get(where))
    assert (found["state"], found["waits_for"]) == ("planned", [waits["change_request"]])
    request = ChangeRequest.objects.get(pk=waits["change_request"]["id"])
    assert request.artefact == DIGEST
    for person in (erin, frank):
        vote(request, person)
    found = answer(script.get(where))
    assert (found["state"], found["waits_for"]) == ("running", [])
    assert found["approved_by"] == ["erin", "frank"]
    assert answer(script.post(f"{where}/commands/rollback"))["state"] == "rolled_back"


def test_a_key_of_another_environment__sees_and_commands_none_of_it(
    script: Script, elsewhere: Script, body: dict[str, Any]
) -> None:
    number = started(script, body).pk
    for path in ("", "/events", "/wait?timeout_s=0"):
        problem(elsewhere.get(f"{RELEASES}/{number}{path}"), 404)
    problem(elsewhere.post(f"{RELEASES}/{number}/commands/rollback"), 404)
    problem(elsewhere.post(RELEASES, body), 403)
    assert answer(elsewhere.get(RELEASES))["releases"] == []
    problem(elsewhere.get(f"{RELEASES}?environment=production"), 403)


def test_a_key__does_with_releases_what_its_maker_may(
    production: Environment, body: dict[str, Any], alice: User, bob: User, dana: User, erin: User
) -> None:
    everything, looks, plans, goes_back = (
        Script(issue(production, owner=owner)) for owner in (alice, bob, dana, erin)
    )
    problem(looks.post(RELEASES, body | {"hold": True}), 403)
    problem(put(looks, f"{PROJECT}/services/search", {}), 403)
    problem(plans.post(RELEASES, body), 403)
    assert not Release.objects.exists()
    held = answer(plans.post(RELEASES, body | {"hold": True}), 201)
    tell = f"{RELEASES}/{held['number']}/commands"
    problem(goes_back.post(f"{tell}/start"), 403)
    answer(everything.post(f"{tell}/start"))
    problem(plans.post(f"{tell}/rollback"), 403)
    assert answer(goes_back.post(f"{tell}/rollback"))["state"] == "rolled_back"


def test_undo__answers_with_the_new_release__or_with_what_it_waits_for(
    script: Script, body: dict[str, Any], production: Environment, alice: User
) -> None:
    _first, second = [
        to_everybody(
            started(script, body | {"artefact": {"version": one, "digest": DIGEST}}), alice
        )
        for one in ("2.0", "3.0")
    ]
    let_pass(second, 3600)
    tell = f"{RELEASES}/{second.pk}/commands"
    assert paths(problem(script.post(f"{tell}/undo"), 400)) == ["reason"]
    set_policy(production, **TWO_ROLES)
    waits = problem(script.post(f"{tell}/undo", {"reason": "orders are lost"}), 409)
    planned = answer(script.get(f"{RELEASES}/{waits['release']}"))
    assert (planned["state"], planned["artefact"]["version"]) == ("planned", "2.0")
    assert waits["change_request"]


def test_notes__are_there_for_all_to_read(script: Script, body: dict[str, Any]) -> None:
    notes = f"{RELEASES}/{started(script, body).pk}/notes"
    note = answer(script.post(notes, {"text": "All tests are green."}), 201)
    assert answer(script.get(notes))["notes"] == [note]
    assert paths(problem(script.post(notes, {"text": " "}), 400)) == ["text"]


def test_releases__are_listed_by_state_service_and_page(
    script: Script, body: dict[str, Any], production: Environment
) -> None:
    numbers = [answer(script.post(RELEASES, body | {"hold": True}), 201)["number"] for _n in "123"]
    answer(script.post(f"{RELEASES}/{numbers[0]}/commands/start"))

    def listed(query: str) -> list[int]:
        return [one["number"] for one in answer(script.get(f"{RELEASES}?{query}"))["releases"]]

    assert listed("environment=production") == numbers[::-1]
    assert listed("state=planned&service=checkout") == numbers[:0:-1]
    assert listed("service=search") == listed("flag=checkout") == []
    assert listed("limit=2") == numbers[:0:-1]
    problem(script.get(f"{RELEASES}?state=flying"), 400)
    assert listed("state=moving") == numbers[:1]
    assert listed("version=2.0") == listed("period=30d") == numbers[::-1]
    assert listed("to=2020-01-01") == listed("outcome=failed") == []
    refused = problem(script.get(f"{RELEASES}?from=soon&outcome=lost"), 400)
    assert sorted(paths(refused)) == ["from", "outcome"]
    file = script.get(f"{RELEASES}?version=2.0", accept="text/csv")
    lines = b"".join(file).decode().splitlines()
    assert file["Content-Type"] == "text/csv; charset=utf-8"
    assert lines[0].startswith('"number","service","flag","version","digest"')
    assert len(lines) == 1 + len(listed("version=2.0"))
