"""Explaining what applications get, and got: over the API, as evaluators answer it."""

import json
from datetime import timedelta
from typing import Any

import pytest

from flags.models import Flag, FlagConfiguration
from flags.transfer.importing import service
from portal.access.models import Environment, KeptAnswer
from portal.lib import clock
from portal.lib.journal import Intent
from tests.support.answering import ask, state_of, without_version
from tests.support.desk import RULE, Desk
from tests.support.people import SETTING_UP, boolean_flag
from tests.support.rows import everything_kept
from tests.support.script import PRODUCTION, Script, answer, problem

pytestmark = pytest.mark.django_db

EXPLAIN, PAST = f"{PRODUCTION}/explain", f"{PRODUCTION}/past"
SPLIT = {"split": [{"variant": "on", "weight": 50_000}, {"variant": "off", "weight": 50_000}]}
BASE: dict[str, Any] = {"enabled": True, "off_variant": "off", "fallthrough": {"variant": "off"}}
CORPUS: dict[str, dict[str, Any]] = {
    "everyone": BASE | {"fallthrough": {"variant": "on"}},
    "nobody": BASE | {"enabled": False},
    "half": BASE | {"fallthrough": SPLIT},
    "germans": BASE | {"rules": [RULE]},
    "some-germans": BASE | {"rules": [RULE | {"audience": {"percent": 50.0}}]},
    "chosen": BASE | {"targets": [{"variant": "on", "keys": ["u-1"]}]},
    "after": BASE | {"prerequisites": [{"flag": "germans", "variants": ["on"]}]},
    "code": BASE | {"fallthrough": {"code_default": True}},
    "logic": BASE
    | {"fallthrough": {"jsonlogic": {"if": [{"==": [{"var": "country"}, "DE"]}, "on", "off"]}}},
}
CONTEXTS: list[dict[str, Any]] = [
    {"targetingKey": "u-1", "country": "DE"},
    {"targetingKey": "u-2", "country": "DE", "age": 1.0},
    {"country": ["DE"], "targetingKey": ""},
    {},
]


@pytest.fixture
def corpus(script: Script, production: Environment) -> None:
    """A flag for each part of a configuration."""
    flags = [
        boolean_flag(key) | {"environments": {"production": one}} for key, one in CORPUS.items()
    ]
    report = service.import_document(
        format_name="native",
        document=flags,
        environment=production,
        mode="merge",
        dry_run=False,
        intent=Intent(SETTING_UP),
    )
    assert len(report.created) == len(CORPUS)


@pytest.mark.usefixtures("corpus")
def test_explain__any_flag_and_context__answers_what_the_evaluator_answers(
    script: Script, production: Environment
) -> None:
    state = state_of(production)
    for flag in CORPUS:
        for context in CONTEXTS:
            found = answer(script.post(EXPLAIN, {"flag": flag, "context": context}))
            expected = ask(state, flag, context)
            assert (found["status"], found["answer"]) == expected, (flag, context)
            then = {"flag": flag, "context": context, "at": clock.now().isoformat()}
            past = answer(script.post(PAST, then))
            assert (past["status"], past["answer"]) == without_version(expected), (flag, context)


@pytest.mark.usefixtures("corpus")
def test_explain__rule__shows_what_it_saw_and_where_the_user_lies(script: Script) -> None:
    context = {"targetingKey": "u-1", "country": "FR"}
    found = answer(script.post(EXPLAIN, {"flag": "some-germans", "context": context}))
    rule, rest = found["steps"]
    assert (rule["kind"], rule["rule"]["id"], rule["result"]) == ("rule", "r-1", None)
    assert (rule["condition"]["matched"], rule["condition"]["saw"]) == (False, "FR")
    assert rule["audience"]["parts"] == [{"name": "audience", "from": 0, "to": 50_000}]
    assert 0 <= rule["audience"]["point"] < 100_000
    assert (rest["kind"], rest["reached"], rest["result"]["variant"]) == (
        "fallthrough",
        True,
        "off",
    )


def test_past__says_who_made_it_so(script: Script, flag: str, desk: Desk) -> None:
    before = clock.now()
    desk.switch(SETTING_UP, True, reason="launch")
    now = clock.now()
    found = answer(script.post(PAST, {"flag": flag, "at": now.isoformat()}))
    assert found["answer"]["value"] is True
    last = found["causes"][0]
    assert (last["event"], last["reason"], last["approval"]) == ("flag.enabled", "launch", None)
    found = answer(script.post(PAST, {"flag": flag, "at": before.isoformat()}))
    assert found["answer"]["value"] is False
    assert [cause["event"] for cause in found["causes"]] == ["flag.created"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (EXPLAIN, {}, "flag"),
        (EXPLAIN, {"flag": 7}, "flag"),
        (EXPLAIN, {"flag": "new-checkout", "context": []}, "context"),
        (EXPLAIN, {"flag": "new-checkout", "context": {"targetingKey": 7}}, "context.targetingKey"),
        (EXPLAIN, {"flag": "new-checkout", "ctx": {}}, "ctx"),
        (PAST, {"flag": "new-checkout"}, "at"),
        (PAST, {"flag": "new-checkout", "at": "2026-01-01T00:00"}, "at"),
        (PAST, {"flag": "new-checkout", "at": "0001-01-01T00:00:00+23:00"}, "at"),
        (PAST, {"flag": "new-checkout", "at": 1}, "at"),
    ],
)
def test_bad_questions__are_told_which_field_is_wrong(
    script: Script, new_checkout: Flag, path: str, body: object, field: str
) -> None:
    document = problem(script.post(path, body), 400)
    assert [error["path"] for error in document["errors"]] == [field]


def test_past__not_yet__is_refused(script: Script, flag: str) -> None:
    later = (clock.now() + timedelta(minutes=1)).isoformat()
    problem(script.post(PAST, {"flag": flag, "at": later}), 400)


def test_explain__archived__is_not_found_as_applications_find_it(
    script: Script, flag: str, desk: Desk
) -> None:
    desk.archive(SETTING_UP)
    found = answer(script.post(EXPLAIN, {"flag": flag, "context": {}}))
    assert (found["status"], found["answer"]["errorCode"]) == (404, "FLAG_NOT_FOUND")


def test_explain__flag_that_cannot_be_evaluated__says_why(
    script: Script, flag: str, production: Environment
) -> None:
    rows = FlagConfiguration.objects.filter(flag__key=flag, environment=production)
    targeting = rows.get().targeting | {"off_variant": "gone"}
    rows.update(targeting=targeting)
    found = answer(script.post(EXPLAIN, {"flag": flag, "context": {}}))
    assert (found["status"], found["answer"]) == ask(state_of(production), flag, {})
    assert "cannot be evaluated" in found["answer"]["errorDetails"]


@pytest.mark.parametrize("path", [EXPLAIN, PAST])
def test_the_context__is_kept_nowhere(
    script: Script, flag: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    at = {"at": clock.now().isoformat()} if path == PAST else {}
    body = {"flag": flag, "context": {"targetingKey": "zebra-crossing"}, **at}
    answer(script.post(path, body, idempotency_key="once"))
    assert not KeptAnswer.objects.exists()
    assert "zebra-crossing" not in json.dumps(everything_kept(), default=str)
    assert "zebra-crossing" not in caplog.text
