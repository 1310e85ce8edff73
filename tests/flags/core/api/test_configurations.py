"""``/api/v1/projects/{project}/environments/{environment}/flags/{key}`` and the import."""

import json

import pytest

from flags.core import configurations
from flags.models import Flag, FlagConfiguration
from portal.access.models import Environment
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.flags.transfer.importers.plans import EXAMPLE, flagd_flag
from tests.support.people import SETTING_UP
from tests.support.script import PRODUCTION, Script, answer, problem

CONFIGURATION = f"{PRODUCTION}/flags/new-checkout"
IMPORT = f"{PRODUCTION}/import?format=flagd"
RULE = {"id": "r", "when": {"all": []}, "serve": {"variant": "on"}}


def test_put__what_was_read__changes_this_environment(script: Script, flag: str) -> None:
    read = script.get(CONFIGURATION)
    wanted = answer(read) | {"enabled": True, "rules": [RULE]}
    response = script.call("PUT", CONFIGURATION, wanted, if_match=read["ETag"])
    assert answer(response) == wanted
    again = script.get(CONFIGURATION)
    assert (answer(again), again["ETag"]) == (wanted, response["ETag"])
    assert response["ETag"] != read["ETag"]
    others = FlagConfiguration.objects.exclude(environment__key="production")
    assert not others.filter(enabled=True).exists()
    event = AuditEvent.objects.first()
    assert event
    assert (event.event, event.environment) == ("flag.enabled", "production")


def test_put__without_if_match__is_428(script: Script, flag: str) -> None:
    document = answer(script.get(CONFIGURATION))
    problem(script.call("PUT", CONFIGURATION, document), 428)


def test_put__from_a_version_that_is_gone__conflicts_with_both_sides(
    script: Script, flag: str, new_checkout: Flag, production: Environment
) -> None:
    read = script.get(CONFIGURATION)
    configurations.set_enabled(
        flag=new_checkout, environment=production, enabled=True, intent=Intent(SETTING_UP)
    )
    mine = answer(read) | {"rules": [RULE]}
    refused = problem(script.call("PUT", CONFIGURATION, mine, if_match=read["ETag"]), 409)
    assert refused["detail"].startswith("tests changed this flag in Production")
    assert (refused["current"]["enabled"], refused["current"]["rules"]) == (True, [])
    assert refused["yours"] == mine
    current = script.get(CONFIGURATION)
    assert current["ETag"] == f'"{refused["current"]["version"]}"'
    assert answer(current)["rules"] == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"enabled": 1}, "enabled"),
        ({"off_variant": "purple"}, "off_variant"),
        ({"rules": [RULE | {"audience": {"percent": 100.001}}]}, "rules[0].audience.percent"),
        ({"rules": [RULE | {"audience": {"percent": -1}}]}, "rules[0].audience.percent"),
        ({"fallthrough": {"split": [{"variant": "on", "weight": 1}]}}, "fallthrough.split"),
        ({"version": 1}, "version"),
        ({"salt": ""}, "salt"),
    ],
)
def test_put__what_is_not_valid__names_the_path(
    script: Script, flag: str, change: dict[str, object], path: str
) -> None:
    read = script.get(CONFIGURATION)
    wanted = answer(read) | change
    refused = problem(script.call("PUT", CONFIGURATION, wanted, if_match=read["ETag"]), 400)
    assert [error["path"] for error in refused["errors"]] == [path]
    assert script.get(CONFIGURATION)["ETag"] == read["ETag"]


@pytest.mark.parametrize("body", [[], "x", 1, None, {}])
def test_put__nonsense__is_400(script: Script, flag: str, body: object) -> None:
    raw = json.dumps(body).encode()
    tag = script.get(CONFIGURATION)["ETag"]
    problem(script.call("PUT", CONFIGURATION, raw=raw, if_match=tag), 400)


def test_configuration__of_a_flag_that_there_is_not__is_404(script: Script) -> None:
    problem(script.get(f"{PRODUCTION}/flags/nothing"), 404)
    problem(script.call("PUT", f"{PRODUCTION}/flags/nothing", {}, if_match='"1"'), 404)


def test_import__the_example_file__answers_what_was_done(script: Script) -> None:
    report = answer(script.post(IMPORT, EXAMPLE))
    assert report["created"] == list(EXAMPLE["flags"])
    assert report["skipped"] == []
    assert Flag.objects.count() == len(EXAMPLE["flags"])
    again = answer(script.post(IMPORT, EXAMPLE))
    assert (again["unchanged"], again["version"]) == (report["created"], report["version"])


def test_import__dry_run__changes_nothing(script: Script) -> None:
    report = answer(script.post(f"{IMPORT}&dry_run=1", EXAMPLE))
    assert (report["created"], report["dry_run"]) == (list(EXAMPLE["flags"]), True)
    assert not Flag.objects.exists()


def test_import__replace__turns_off_the_others(script: Script) -> None:
    script.post(IMPORT, EXAMPLE)
    report = answer(script.post(f"{IMPORT}&mode=replace", {"flags": {"colour": flagd_flag()}}))
    assert report["created"] == ["colour"]
    assert sorted(report["disabled"]) == sorted(EXAMPLE["flags"])


def test_import__a_flag_it_cannot_express__is_answered_with_the_reason(script: Script) -> None:
    flag = flagd_flag(defaultVariant="green")
    report = answer(script.post(IMPORT, {"flags": {"colour": flag}}))
    assert report["skipped"] == [
        {"flag": "colour", "reason": "defaultVariant: the flag has no variant 'green'"}
    ]


def test_import__toggles_of_unleash__are_there_or_reported(script: Script) -> None:
    toggles = [
        {"name": "new", "enabled": True, "strategies": [{"name": "default"}]},
        {"name": "broken", "enabled": "yes"},
    ]
    address = IMPORT.replace("flagd", "unleash")
    trial = answer(script.post(f"{address}&dry_run=1&mode=replace", {"features": toggles}))
    report = answer(script.post(f"{address}&mode=replace", {"features": toggles}))
    assert (trial["created"], report["created"]) == (["new"], ["new"])
    assert [skipped["flag"] for skipped in report["skipped"]] == ["broken"]
    assert Flag.objects.get().variants[0] == {
        "key": "on",
        "value": True,
        "served_as": "disabled",
        "metadata": {"enabled": True},
    }


def test_import__a_generation_of_flagd__is_taken_by_name(script: Script) -> None:
    flags = {"flags": {"colour": flagd_flag({"fractional": [["red"], ["blue"]]})}}
    answer(script.post(f"{IMPORT}&bucketing=cbor", flags))
    served = FlagConfiguration.objects.get(environment__key="production").targeting["rules"][0]
    assert served["serve"]["bucketing"] == "cbor"


@pytest.mark.parametrize(
    ("query", "body", "path"),
    [
        ("", {}, "format"),
        ("?format=growthbook", {}, "format"),
        ("?format=flagd&bucketing=sha1", {"flags": {}}, "bucketing"),
        ("?format=unleash", {}, ""),
        ("?format=%00", {}, "format"),
        ("?format=flagd&mode=remove", {"flags": {}}, "mode"),
        ("?format=flagd&dry_run=perhaps", {"flags": {}}, "dry_run"),
        ("?format=flagd", [], ""),
        ("?format=flagd", None, ""),
        ("?format=native", 1, ""),
    ],
)
def test_import__what_makes_no_sense__names_the_field(
    script: Script, query: str, body: object, path: str
) -> None:
    raw = json.dumps(body).encode()
    refused = problem(script.call("POST", f"{PRODUCTION}/import{query}", raw=raw), 400)
    assert [error["path"] for error in refused["errors"]] == [path]


def test_import__a_file_of_several_megabytes__is_read(script: Script) -> None:
    report = answer(script.post(IMPORT, {"flags": {}, "about": "x" * (2 * 1024 * 1024)}))
    assert report["notes"] == ["fields that change no answer and are not taken over: about"]


def test_import__a_file_that_is_too_large__is_413(script: Script) -> None:
    problem(script.call("POST", IMPORT, raw=b" " * (20 * 1024 * 1024 + 1)), 413)
