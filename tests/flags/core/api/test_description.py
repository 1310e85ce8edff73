"""The schema and the page that shows it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator

from portal.lib.api.docs import describe
from tests.support.script import PROBLEM, Script, answer

pytestmark = pytest.mark.django_db
SCHEMA = "/api/schema/?format=json"


def test_the_schema__is_public_and_names_every_endpoint() -> None:
    schema = json.loads(Client().get(SCHEMA).content)
    operations = {
        operation["operationId"]
        for path in schema["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
    }
    assert operations == {
        "list_flags",
        "create_flag",
        "read_flag",
        "edit_flag",
        "archive_flag",
        "read_configuration",
        "save_configuration",
        "read_usage",
        "list_unknown_flags",
        "import_flags",
        "explain_flag",
        "explain_past",
        "export_project",
        "export_environment",
        "list_schedules",
        "create_schedule",
        "read_schedule",
        "pause_schedule",
        "resume_schedule",
        "cancel_schedule",
        "list_ramps",
        "create_ramp",
        "read_ramp",
        "pause_ramp",
        "resume_ramp",
        "cancel_ramp",
        "list_segments",
        "create_segment",
        "read_segment",
        "edit_segment",
        "delete_segment",
        "list_segment_keys",
        "change_segment_keys",
        "list_exclusion_groups",
        "create_exclusion_group",
        "read_exclusion_group",
        "edit_exclusion_group",
        "delete_exclusion_group",
        "list_freezes",
        "post_evidence",
        "list_evidence",
        "list_change_requests",
        "read_change_request",
        "withdraw_change_request",
        "list_history",
        "read_restoration",
        "restore_version",
        "restore_flag",
        "list_configurations",
        "edit_configuration",
        "list_comments",
        "comment_on_change_request",
        "read_policy",
        "list_projects",
        "read_project",
        "list_environments",
        "read_environment",
        "list_members",
        "list_grants",
        "list_groups",
        "list_roles",
        "list_invitations",
        "list_keys",
        "read_key",
        "edit_project",
        "create_environment",
        "edit_environment",
        "add_member",
        "edit_member",
        "remove_member",
        "give_role",
        "revoke_grant",
        "create_group",
        "read_group",
        "edit_group",
        "delete_group",
        "add_to_group",
        "remove_from_group",
        "create_role",
        "read_role",
        "edit_role",
        "delete_role",
        "create_invitation",
        "revoke_invitation",
        "create_key",
        "edit_key",
        "revoke_key",
        "set_policy",
        "create_freeze",
        "read_freeze",
        "edit_freeze",
        "cancel_freeze",
        "copy_configuration",
        "clone_flag",
        "change_flags",
        "read_line",
        "list_alerts",
        "tell_alerts",
        "stop_line",
        "list_services",
        "read_service",
        "save_service",
        "read_setup",
        "save_setup",
        "backtest_check",
        "list_artefacts",
        "list_releases",
        "create_release",
        "read_release",
        "command_release",
        "list_release_events",
        "list_release_notes",
        "add_release_note",
        "wait_for_release",
        "list_release_groups",
        "create_release_group",
        "read_release_group",
        "command_release_group",
        "wait_for_release_group",
        "preview_release",
        "read_release_advice",
        "list_plan_templates",
        "read_plan_template",
        "save_plan_template",
        "delete_plan_template",
        "list_release_policies",
        "read_release_policy",
        "save_release_policy",
        "delete_release_policy",
    }
    assert set(schema["components"]["securitySchemes"]) == {"bearerKey", "headerKey"}


def test_the_schema__describes_errors_as_problems() -> None:
    schema = json.loads(Client().get(SCHEMA).content)
    path = "/api/v1/projects/{project}/environments/{environment}/flags/{key}"
    answers = schema["paths"][path]["put"]["responses"]
    problems = {"400", "401", "403", "404", "409", "411", "413", "415", "422", "428", "503"}
    assert set(answers) == {"200"} | problems
    conflict = answers["409"]["content"]["application/problem+json"]["schema"]
    assert conflict == {"$ref": "#/components/schemas/ConflictProblem"}


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("environments/{environment}/flags/{key}", "put"),
        ("flags/{key}", "patch"),
        ("flags/{key}", "delete"),
        ("environments/{environment}/import", "post"),
        ("environments/{environment}/schedules", "post"),
        ("environments/{environment}/ramps/{plan}/resume", "post"),
        ("segments/{key}", "patch"),
        ("segments/{key}", "delete"),
        ("segment-keys/{which}/{key}", "post"),
        ("exclusion-groups/{key}", "patch"),
        ("exclusion-groups/{key}", "delete"),
        ("environments/{environment}/copy/{key}", "post"),
        ("environments/{environment}/policy", "put"),
        ("roles/{role}", "patch"),
        ("services/{service}/environments/{environment}", "put"),
        ("release-policies/{policy}", "put"),
        ("release-policies/{policy}", "delete"),
        ("releases", "post"),
        ("releases/{release}/commands/{command}", "post"),
    ],
)
def test_the_schema__says_of_every_write_that_it_may_wait(path: str, method: str) -> None:
    schema = json.loads(Client().get(SCHEMA).content)
    answers = schema["paths"][f"/api/v1/projects/{{project}}/{path}"][method]["responses"]
    assert "`change_request` says where" in answers["409"]["description"]
    shape = answers["409"]["content"]["application/problem+json"]["schema"]["$ref"]
    name = shape.rpartition("/")[2]
    assert "change_request" in schema["components"]["schemas"][name]["properties"]


def test_the_schema__has_every_field_of_a_flag(script: Script, flag: str) -> None:
    schema = json.loads(Client().get(SCHEMA).content)
    answered = answer(script.get(f"/api/v1/projects/shop/flags/{flag}"))
    described = set(schema["components"]["schemas"]["Flag"]["properties"])
    assert described == set(answered) | {"json_schema"}  # which only some flags have


def test_the_page__needs_no_other_host_and_no_inline_script() -> None:
    response = Client().get("/api/docs/")
    page = response.content.decode()
    assert response.status_code == 200
    assert not re.search(r'(src|href)="https?:', page)
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    policy = response["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert re.search(r"style-src-elem 'self' 'sha256-[\w+/]+='", policy)


def test_the_page__its_script__comes_from_this_server() -> None:
    page = Client().get("/api/docs/").content.decode()
    (address,) = re.findall(r'<script src="(/api/docs/[^"]*)"', page)
    script = Client().get(address)
    assert script["Content-Type"].startswith("application/javascript")
    assert b"/api/schema/" in script.content


def operations() -> Iterator[tuple[str, str, Any]]:
    """Each operation with its path and method."""
    schema = json.loads(Client().get(SCHEMA).content)
    for path, methods in schema["paths"].items():
        if path.startswith("/api/v1/"):
            yield from ((path, method, methods[method]) for method in methods)


def test_every_operation__says_in_words_what_it_does_and_how_it_fails() -> None:
    for path, method, operation in operations():
        assert operation["description"].endswith("."), path
        assert operation["security"], path
        answers = operation["responses"]
        assert {"401", "403", "503"} <= set(answers), (method, path)
        for status, response in answers.items():
            assert response["description"], (method, path, status)
            if int(status) >= 400:
                assert list(response["content"]) == [PROBLEM], (method, path, status)
        for parameter in operation["parameters"]:
            assert parameter["in"] == "path" or parameter["description"], (path, parameter["name"])


def test_every_read__describes_its_etag_and_every_list_its_link() -> None:
    for path, method, operation in operations():
        if method != "get":
            continue
        assert "304" in operation["responses"]
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert "If-None-Match" in names
        headers = operation["responses"]["200"]["headers"]
        assert "ETag" in headers
        assert ("Link" in headers) == ({"cursor", "limit"} <= names), path


def test_every_write__describes_that_it_can_be_done_once() -> None:
    for path, method, operation in operations():
        if method == "get":
            continue
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert "Idempotency-Key" in names, path
        assert {"409", "422"} <= set(operation["responses"]), path
        with_body = {"411", "413", "415"} & set(operation["responses"])
        assert len(with_body) == (3 if "requestBody" in operation else 0), path


def test_what_is_sent__has_no_other_fields_than_those_described() -> None:
    schema = json.loads(Client().get(SCHEMA).content)
    for name in (
        "NewFlag",
        "Variant",
        "Configuration",
        "Rule",
        "NewEvidence",
        "NewComment",
        "NewKey",
        "NewGrant",
    ):
        assert schema["components"]["schemas"][name]["additionalProperties"] is False, name


def test_the_schema__is_made_without_a_warning(capfd: pytest.CaptureFixture[str]) -> None:
    describe.cache_clear()
    Client().get(SCHEMA)
    assert capfd.readouterr().err == ""


def test_the_schema__is_made_once_whatever_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Client().get(SCHEMA).content
    monkeypatch.delattr(SchemaGenerator, "parse")
    with translation.override(None):  # a request leaves its language behind in its thread
        german = Client().get(f"{SCHEMA}&version=3", headers={"Accept-Language": "de"})
    assert german.content == first
