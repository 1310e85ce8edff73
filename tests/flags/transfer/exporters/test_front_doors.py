"""Exports by command, by the API and in the portal, of flags that are stored."""

import io
import json
from datetime import datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from flags.core.configurations import save_configuration
from flags.core.definitions import create_flag
from flags.exclusion_groups.services import create_group
from flags.explain.answers import explain_now
from flags.models import Flag, FlagConfiguration
from flags.segments.services import create_segment
from flags.transfer.importers import plan_import
from flags.transfer.importers.text import read_text
from flags.transfer.importing.service import import_flags
from portal.access.models import Environment, Project, User
from portal.access.services import issue_key
from portal.lib.journal import Intent
from tests.flags.transfer.exporters.flagd_cases import when
from tests.support.people import SETTING_UP, boolean_flag

REGEX = {"id": "r", "when": when("matches", "email", "x$"), "serve": {"variant": "on"}}


def exportflags(*more: str, project: str = "shop") -> tuple[str, str]:
    """What the command prints, and what it says beside."""
    out, beside = io.StringIO(), io.StringIO()
    call_command("exportflags", "--project", project, *more, stdout=out, stderr=beside)
    return out.getvalue(), beside.getvalue()


@pytest.fixture
def hidden(new_checkout: Flag, development: Environment, now: datetime) -> Flag:
    """A flag that flagd cannot have, beside another one."""
    flag = create_flag(
        project=development.project,
        document=boolean_flag("hidden"),
        intent=Intent(SETTING_UP, at=now),
    )
    configuration = flag.configurations.get(environment=development)
    save_configuration(
        flag=flag,
        environment=development,
        document={**configuration.document, "enabled": True, "rules": [REGEX]},
        expected_version=configuration.version,
        intent=Intent(SETTING_UP, at=now),
    )
    return flag


@pytest.fixture
def key(development: Environment, now: datetime) -> str:
    issued = issue_key(
        environment=development, kind="admin", name="export", intent=Intent(SETTING_UP, at=now)
    )
    return str(issued.token)


def get(address: str, key: str, **headers: str) -> Any:
    told = {"Authorization": f"Bearer {key}", **headers}
    return Client().get(f"/api/v1/projects/shop/{address}", headers=told)


@pytest.fixture
def cohorts(hidden: Flag, development: Environment, now: datetime) -> None:
    """Segments and an exclusion group, with flags that refer to them."""
    told: dict[str, Any] = {"project": development.project, "intent": Intent(SETTING_UP, at=now)}
    listed = {"included": ["ann", "ben"], "excluded": ["eve"], "keyed_by": "account"}
    germans = {"when": when("in", "country", "DE"), "name": "Germans", "description": "Of all ages"}
    create_segment(document={"key": "germans", **germans, **listed}, **told)
    create_segment(document={"key": "all-of-them", "when": {"segment": "germans"}}, **told)
    slots = [{"flag": "hidden", "from": 10.0, "to": 40.0}]
    line = {"key": "line", "name": "Checkout", "salt": "dealt", "slots": slots, "holdout": 12.5}
    create_group(document=line, **told)
    configuration = hidden.configurations.get(environment=development)
    segment = {"id": "s", "when": {"segment": "all-of-them"}, "serve": {"variant": "on"}}
    audience = {"percent": 100, "group": "line"}
    part = {"id": "g", "when": {"all": []}, "audience": audience, "serve": {"variant": "on"}}
    rules = {"rules": [REGEX, segment, part], "fallthrough": {"variant": "off"}}
    save_configuration(
        flag=hidden,
        environment=development,
        document={**configuration.document, **rules},
        expected_version=configuration.version,
        intent=Intent(SETTING_UP, at=now),
    )


def answers(place: Environment, now: datetime) -> list[object]:
    """What the flag ``hidden`` answers here, user by user."""
    flags = FlagConfiguration.objects.select_related("flag", "environment")
    found = flags.get(environment=place, flag__key="hidden")
    people = [{"account": name} for name in ("ann", "eve")] + [{"country": "DE"}]
    people += [{"account": "eve", "country": "DE"}, *({} for _ in range(60))]
    contexts = [{"targetingKey": f"u-{n}", **one} for n, one in enumerate(people)]
    bodies = [explain_now(found, context, now=now).body for context in contexts]
    return [(body["value"], body["reason"], body["variant"]) for body in bodies]


@pytest.mark.parametrize("syntax", ["--yaml", "--json"])
def test_exportflags__imported_into_another_project__are_the_same_flags(
    cohorts: None, development: Environment, garden: Project, now: datetime, syntax: str
) -> None:
    place = garden.environments.get(key="development")
    text, beside = exportflags(syntax)
    assert beside == ""
    document = read_text(text.encode(), name=f"flags.{syntax[2:]}")
    plan = plan_import("native", document, environment="development")
    report = import_flags(
        environment=place, plan=plan, mode="merge", dry_run=False, intent=Intent(SETTING_UP, at=now)
    )
    assert report.segments.created == ["all-of-them", "germans"]
    assert report.groups.created == ["line"]
    only = ("--environment", "development", syntax)
    assert exportflags(*only, project="garden") == exportflags(*only)
    assert "Of all ages" in text
    there = answers(place, now)
    assert there == answers(development, now)
    assert len(set(there)) == 2  # somebody is in, and somebody is not


def test_exportflags__flagd__names_what_is_left_out(hidden: Flag) -> None:
    out, beside = exportflags("--format=flagd", "--environment=development")
    assert list(json.loads(out)["flags"]) == ["new-checkout"]
    assert beside == "left out: hidden: flagd has nothing like the operator 'matches'\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--format=flagd"], "a file of flagd is of one environment"),
        (["--environment=nowhere"], "the project has no environment 'nowhere'"),
        (["--project=nothing"], "there is no project 'nothing'"),
    ],
)
def test_exportflags__what_there_is_not__is_one_sentence(
    hidden: Flag, more: list[str], said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        exportflags(*more)


def test_api__project__has_the_environment_of_the_key_alone(hidden: Flag, key: str) -> None:
    flags = get("export", key).json()["flags"]
    assert [flag["key"] for flag in flags] == ["hidden", "new-checkout"]
    assert [list(flag["environments"]) for flag in flags] == [["development"]] * 2


def test_api__flagd__comes_with_a_report_and_a_tag(hidden: Flag, key: str) -> None:
    address = "environments/development/export?format=flagd"
    file = get(address, key)
    assert list(file.json()["flags"]) == ["new-checkout"]
    assert file.json()["metadata"] == {"flagSetId": "shop/development", "leftOut": 1}
    assert get(address, key, **{"If-None-Match": file["ETag"]}).status_code == 304
    report = get(f"{address}&report=1", key).json()
    assert report["flags"] == 1
    assert [one["flag"] for one in report["left_out"]] == ["hidden"]


def test_api__unknown_format__is_refused_by_name(hidden: Flag, key: str) -> None:
    found = get("environments/development/export?format=toml", key)
    assert (found.status_code, found.json()["errors"][0]["path"]) == (400, "format")


def test_page__flagd__says_what_is_left_out_and_offers_the_file(hidden: Flag, dana: User) -> None:
    browser = Client()
    browser.force_login(dana)
    query = "environment=development&format=flagd&syntax=json"
    page = browser.get(f"/p/shop/flags/files?{query}").content.decode()
    assert "1 flag is left out" in page
    assert "flagd has nothing like the operator" in page
    file = browser.get(f"/p/shop/flags/file?{query}")
    assert file["Content-Disposition"] == 'attachment; filename="shop-development.flagd.json"'
    assert list(json.loads(file.content)["flags"]) == ["new-checkout"]


def test_page__flagd_of_all_environments__asks_for_one(hidden: Flag, dana: User) -> None:
    browser = Client()
    browser.force_login(dana)
    assert b"choose it" in browser.get("/p/shop/flags/files?format=flagd").content
    assert browser.get("/p/shop/flags/file?format=flagd").status_code == 400
