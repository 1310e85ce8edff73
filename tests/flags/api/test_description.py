"""The schema and the page that shows it."""

import json
import re

import pytest
from django.test import Client

from tests.flags.api.script import Script, answer

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
        "import_flags",
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
    }
    assert set(schema["components"]["securitySchemes"]) == {"bearerKey", "headerKey"}


def test_the_schema__describes_errors_as_problems() -> None:
    schema = json.loads(Client().get(SCHEMA).content)
    path = "/api/v1/projects/{project}/environments/{environment}/flags/{key}"
    answers = schema["paths"][path]["put"]["responses"]
    assert set(answers) == {"200", "400", "401", "403", "404", "409", "413", "415", "428"}
    conflict = answers["409"]["content"]["application/problem+json"]["schema"]
    assert conflict == {"$ref": "#/components/schemas/ConflictProblem"}


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("environments/{environment}/flags/{key}", "put"),
        ("flags/{key}", "patch"),
        ("flags/{key}", "delete"),
        ("environments/{environment}/import", "post"),
        ("segments/{key}", "patch"),
        ("segments/{key}", "delete"),
        ("segment-keys/{which}/{key}", "post"),
        ("exclusion-groups/{key}", "patch"),
        ("exclusion-groups/{key}", "delete"),
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
    assert set(schema["components"]["schemas"]["Flag"]["properties"]) == set(answered)


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
