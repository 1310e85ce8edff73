"""Evidence and change requests over HTTP, with an admin key for the shop's production."""

from datetime import timedelta
from typing import Any

import pytest

from flags.models import Flag
from portal.access.models import Environment, Project, User
from portal.approvals.models import ChangeRequest, Evidence, Policy
from portal.audit.models import AuditEvent
from portal.lib import clock
from tests.support.agreeing import vote
from tests.support.desk import Desk
from tests.support.rows import everything_kept
from tests.support.script import PRODUCTION, PROJECT, Script, answer, issue, problem

EVIDENCE, REQUESTS = f"{PROJECT}/evidence", f"{PROJECT}/change-requests"
DIGEST = "sha256:" + "0a" * 32


@pytest.fixture
def script(guarded: Environment, alice: User) -> Script:
    """What asks for changes, in Alice's name."""
    return Script(issue(guarded, owner=alice))


@pytest.fixture
def scanner(guarded: Environment) -> Script:
    """What posts security scans; an operator made its key."""
    return Script(issue(guarded, evidence=["security_scan"]))


@pytest.fixture
def desk(new_checkout: Flag, guarded: Environment) -> Desk:
    return Desk(new_checkout, guarded, clock.now())


@pytest.fixture
def asked(script: Script, desk: Desk) -> ChangeRequest:
    """What the script asked for, and was told to wait for."""
    current = desk.configuration
    problem(
        script.call(
            "PUT",
            f"{PRODUCTION}/flags/{desk.flag.key}",
            current.document | {"enabled": True},
            if_match=f'"{current.version}"',
        ),
        409,
    )
    return ChangeRequest.objects.get()


def stored() -> dict[str, object]:
    """Everything but the keys, which know when they were used last."""
    return {name: rows for name, rows in everything_kept().items() if name != "access.ApiKey"}


def passed(**fields: object) -> dict[str, object]:
    tomorrow = clock.now() + timedelta(days=1)
    return {
        "digest": DIGEST,
        "kind": "security_scan",
        "result": "passed",
        "expires_at": tomorrow.isoformat(),
    } | fields


def test_evidence__posted__is_kept_recorded_and_found(scanner: Script) -> None:
    script = scanner
    posted = answer(scanner.post(EVIDENCE, passed(detail="0 findings")), 201)
    assert (posted["digest"], posted["posted_by"].split()[0]) == (DIGEST, "Pipeline")
    found = answer(script.get(f"{EVIDENCE}?digest={DIGEST}"))
    assert found == {"evidence": [posted], "next": None}
    assert AuditEvent.objects.get(event="evidence.posted").subject == DIGEST
    assert answer(script.get(f"{EVIDENCE}?digest=sha256:other"))["evidence"] == []


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"digest": "abc"}, "digest", "Send sha256: and 64 lower-case hexadecimal digits."),
    ({"digest": DIGEST.upper()}, "digest", "Send sha256: and 64 lower-case"),
    ({"digest": 7}, "digest", "Send a text."),
    ({"kind": "Scan!"}, "kind", "Send a name like security_scan"),
    ({"result": "maybe"}, "result", "Send passed or failed."),
    ({"expires_at": "tomorrow"}, "expires_at", "Send a time with its zone"),
    ({"expires_at": "2031-06-31T00:00:00Z"}, "expires_at", "Send a time with its zone"),
    ({"expires_at": "2031-01-31T00:00:00"}, "expires_at", "Send a time with its zone"),
    ({"expires_at": "2001-01-31T00:00:00Z"}, "expires_at", "This has expired already"),
    ({"expires_at": "9999-01-31T00:00:00Z"}, "expires_at", "a year at most"),
    ({"detail": "x" * 2001}, "detail", "at most 2,000 characters"),
    ({"posted_by": "alice"}, "posted_by", "There is no such field."),
]


@pytest.mark.parametrize(("fields", "path", "sentence"), BAD)
def test_evidence__bad_in_one_field__is_refused_with_one_sentence(
    scanner: Script, fields: dict[str, Any], path: str, sentence: str
) -> None:
    before = stored()
    (error,) = problem(scanner.post(EVIDENCE, passed(**fields)), 400)["errors"]
    assert error["path"] == path
    assert sentence in error["message"]
    assert stored() == before


@pytest.mark.parametrize("document", [[], "passed", 7])
def test_evidence__that_is_no_object__is_refused(script: Script, document: object) -> None:
    assert "Send an object with digest" in problem(script.post(EVIDENCE, document), 400)["detail"]


def test_evidence__with_everything_missing__names_each_field(script: Script) -> None:
    errors = problem(script.post(EVIDENCE, {}), 400)["errors"]
    assert [error["path"] for error in errors] == ["digest", "kind", "result", "expires_at"]


def test_evidence__lets_an_approved_request_pass(
    script: Script,
    scanner: Script,
    desk: Desk,
    asked: ChangeRequest,
    erin: User,
    frank: User,
) -> None:
    Policy.objects.update(evidence={"security_scan": "all"})
    vote(asked, erin)
    assert "evidence security_scan is missing" in str(_read(script, asked)["missing"])
    vote(asked, frank)
    assert not desk.configuration.enabled
    answer(scanner.post(EVIDENCE, passed(digest=asked.digest)), 201)
    assert _read(script, asked)["missing"] == []


def test_evidence__the_latest_counts_and_expires(
    script: Script, scanner: Script, asked: ChangeRequest, erin: User
) -> None:
    Policy.objects.update(evidence={"security_scan": "all"})
    answer(scanner.post(EVIDENCE, passed(digest=asked.digest)), 201)
    answer(scanner.post(EVIDENCE, passed(digest=asked.digest, result="failed")), 201)
    assert "security_scan failed" in str(_read(script, asked)["missing"])
    answer(scanner.post(EVIDENCE, passed(digest=asked.digest)), 201)
    Evidence.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert "has expired" in str(_read(script, asked)["missing"])


def test_evidence__of_another_project__counts_for_nothing(
    script: Script, garden: Project, asked: ChangeRequest
) -> None:
    Policy.objects.update(evidence={"security_scan": "all"})
    place = garden.environments.get(key="production")
    stranger = Script(issue(place, evidence=["security_scan"]))
    body = passed(digest=asked.digest)
    answer(stranger.post("/api/v1/projects/garden/evidence", body), 201)
    assert "is missing" in str(_read(script, asked)["missing"])
    problem(stranger.post(EVIDENCE, body), 404)
    for address in (REQUESTS, f"{REQUESTS}/{asked.pk}", f"{EVIDENCE}?digest={DIGEST}"):
        problem(stranger.get(address), 404)
    problem(stranger.get(f"/api/v1/projects/garden/change-requests/{asked.pk}"), 404)


def _read(script: Script, request: ChangeRequest) -> dict[str, Any]:
    found: dict[str, Any] = answer(script.get(f"{REQUESTS}/{request.pk}"))
    return found


def test_a_request__has_its_content_its_votes_and_what_is_missing(
    script: Script, asked: ChangeRequest, erin: User
) -> None:
    vote(asked, erin, comment="fine")
    found = _read(script, asked)
    assert (found["id"], found["state"], found["environments"]) == (
        asked.pk,
        "open",
        ["production"],
    )
    assert (found["before"]["enabled"], found["after"]["enabled"]) == (False, True)
    assert found["digest"] == asked.digest
    assert found["address"].endswith(f"/p/shop/changes/{asked.pk}")
    (one,) = found["votes"]
    assert (one["person"], one["verdict"], one["comment"]) == ("erin", "approve", "fine")
    assert one["roles"] == ["senior_developer"]
    assert found["missing"] == [
        "Production: 1 more approval is needed.",
        "Production: nobody with the role DevOps lead has approved.",
    ]


def test_requests__by_state_and_environment(script: Script, asked: ChangeRequest) -> None:
    (one,) = answer(script.get(f"{REQUESTS}?state=open&environment=production"))["change_requests"]
    assert one["id"] == asked.pk
    assert "after" not in one
    assert answer(script.get(f"{REQUESTS}?state=applied"))["change_requests"] == []
    assert "Choose one of: open" in problem(script.get(f"{REQUESTS}?state=lost"), 400)["detail"]
    assert "does not reach" in problem(script.get(f"{REQUESTS}?environment=staging"), 403)["detail"]
    problem(script.get(f"{REQUESTS}?environment=moon"), 404)


def test_requests_of_other_environments__are_not_the_keys_business(
    asked: ChangeRequest, staging: Environment
) -> None:
    elsewhere = Script(issue(staging))
    assert answer(elsewhere.get(REQUESTS))["change_requests"] == []
    problem(elsewhere.get(f"{REQUESTS}/{asked.pk}"), 404)
    problem(elsewhere.post(f"{REQUESTS}/{asked.pk}/withdraw"), 404)


def test_requests__come_in_pages(script: Script, asked: ChangeRequest) -> None:
    place = asked.environments.get()
    for number in range(60):
        asked.pk, asked.digest = None, f"sha256:{number:064}"
        asked._state.adding = True
        asked.save()
        asked.environments.add(place)
    first = answer(script.get(REQUESTS))
    second = answer(script.get(f"{REQUESTS}?cursor={first['next']}"))
    ids = [one["id"] for page in (first, second) for one in page["change_requests"]]
    assert ids == sorted(ids, reverse=True)
    assert (len(ids), len(set(ids)), second["next"]) == (61, 61, None)
    for cursor in ("x", "AA==", "eA==", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5"):
        problem(script.get(f"{REQUESTS}?cursor={cursor}"), 400)


def test_a_number_too_large_for_any_database__is_not_found(script: Script) -> None:
    problem(script.get(f"{REQUESTS}/{'9' * 30}"), 404)


def test_withdraw__ones_own__once(script: Script, asked: ChangeRequest) -> None:
    found = answer(script.post(f"{REQUESTS}/{asked.pk}/withdraw"))
    assert (found["state"], found["missing"]) == ("withdrawn", [])
    said = problem(script.post(f"{REQUESTS}/{asked.pk}/withdraw"), 409)["detail"]
    assert said == f"Change request {asked.pk} is withdrawn already."


def test_withdraw__what_somebody_else_asked_for__is_forbidden(
    script: Script, asked: ChangeRequest, guarded: Environment
) -> None:
    problem(Script(issue(guarded)).post(f"{REQUESTS}/{asked.pk}/withdraw"), 403)
    asked.refresh_from_db()
    assert asked.is_open


@pytest.mark.parametrize("verb", ["approve", "reject", "vote", "votes", "apply"])
def test_keys__cannot_vote_or_apply(script: Script, asked: ChangeRequest, verb: str) -> None:
    problem(script.post(f"{REQUESTS}/{asked.pk}/{verb}", {"verdict": "approve"}), 404)
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        problem(script.call(method, f"{REQUESTS}/{asked.pk}", {"state": "applied"}), 405)
    asked.refresh_from_db()
    assert asked.is_open


def test_looking__changes_nothing(script: Script, asked: ChangeRequest) -> None:
    before = stored()
    for address in (REQUESTS, f"{REQUESTS}/{asked.pk}", f"{EVIDENCE}?digest={asked.digest}"):
        answer(script.get(address))
    problem(script.get(f"{REQUESTS}/{asked.pk}/withdraw"), 405)
    problem(script.get(EVIDENCE), 400)
    assert stored() == before


def test_without_a_policy__nothing_waits(script: Script, desk: Desk) -> None:
    Policy.objects.all().delete()
    current = desk.configuration
    saved = script.call(
        "PUT",
        f"{PRODUCTION}/flags/{desk.flag.key}",
        current.document | {"enabled": True},
        if_match=f'"{current.version}"',
    )
    assert answer(saved)["enabled"] is True
