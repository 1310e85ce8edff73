"""Who is let into the management API, and how far."""

from datetime import timedelta

import pytest
from django.test import Client

from flags.core import definitions
from portal.access import services
from portal.access.models import ApiKey, Environment, Project
from portal.lib import clock
from portal.lib.journal import Intent
from tests.support.people import SETTING_UP, boolean_flag
from tests.support.script import FLAGS, PRODUCTION, PROJECT, Script, answer, issue, problem

STAGING = f"{PROJECT}/environments/staging"
ENDPOINTS = [
    ("GET", FLAGS),
    ("POST", FLAGS),
    ("GET", f"{FLAGS}/new-checkout"),
    ("PATCH", f"{FLAGS}/new-checkout"),
    ("DELETE", f"{FLAGS}/new-checkout"),
    ("GET", f"{PRODUCTION}/flags/new-checkout"),
    ("PUT", f"{PRODUCTION}/flags/new-checkout"),
    ("POST", f"{PRODUCTION}/import?format=flagd"),
]
OF_AN_ENVIRONMENT = [(method, path) for method, path in ENDPOINTS if "environments" in path]


def assert_unauthenticated(script: Script, method: str, path: str) -> None:
    response = script.call(method, path, {})
    problem(response, 401)
    assert response["WWW-Authenticate"] == 'Bearer realm="aviary"'


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_endpoint__without_a_key__is_401(flag: str, method: str, path: str) -> None:
    assert_unauthenticated(Script(), method, path)


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_endpoint__signed_in_but_without_a_key__is_401(
    flag: str, alice_client: Client, method: str, path: str
) -> None:
    """Or another site's page could write with the cookie of whoever looks at it."""
    script = Script()
    script.client = alice_client
    assert_unauthenticated(script, method, path)


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
@pytest.mark.parametrize("kind", ["server", "client"])
def test_every_endpoint__key_of_an_application__is_403(
    flag: str, production: Environment, kind: str, method: str, path: str
) -> None:
    refused = problem(Script(issue(production, kind)).call(method, path, {}), 403)
    assert refused["detail"] == f"This is a {kind} key; the management API takes an admin key."


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_endpoint__key_of_another_project__is_404(
    flag: str, garden: Project, method: str, path: str
) -> None:
    foreign = Script(issue(garden.environments.get(key="production")))
    problem(foreign.call(method, path, {}), 404)


@pytest.mark.parametrize(("method", "path"), OF_AN_ENVIRONMENT)
def test_an_endpoint_of_an_environment__key_of_another_one__is_403_and_says_so(
    flag: str, staging: Environment, method: str, path: str
) -> None:
    refused = problem(Script(issue(staging)).call(method, path, {}), 403)
    expected = "This key is for the environment “staging” and does not reach “production”."
    assert refused["detail"] == expected


@pytest.mark.parametrize(("method", "path"), OF_AN_ENVIRONMENT)
def test_an_endpoint_of_an_environment__that_there_is_not__is_404(
    script: Script, flag: str, method: str, path: str
) -> None:
    problem(script.call(method, path.replace("production", "mars"), {}), 404)


def test_a_flag_of_another_project__under_ones_own_project__is_404(
    script: Script, garden: Project
) -> None:
    definitions.create_flag(
        project=garden, document=boolean_flag("roses"), intent=Intent(SETTING_UP)
    )
    problem(script.get(f"{FLAGS}/roses"), 404)
    problem(script.get(f"{PRODUCTION}/flags/roses"), 404)


def test_a_key__in_its_own_header__is_let_in(script: Script, flag: str) -> None:
    answer(Script().get(FLAGS, X_API_Key=script.token))


def test_a_revoked_key__is_401(script: Script, flag: str) -> None:
    services.revoke_key(key=ApiKey.objects.get(), intent=Intent(SETTING_UP))
    assert_unauthenticated(script, "GET", FLAGS)


def test_an_expired_key__is_401(script: Script, flag: str) -> None:
    ApiKey.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert_unauthenticated(script, "GET", FLAGS)


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1] + ("a" if token[-1] != "a" else "b"),
        lambda token: token.replace("admin", "server"),
        lambda token: token[:-43],
        lambda token: token.split("_", 3)[3],
        lambda _token: "av_admin_0123456789abcdef_secret",
        lambda _token: "av_admin_" + "\0" * 16 + "_secret",
        lambda _token: "av_admin_" + "é" * 16 + "_é",
        lambda _token: "x" * 10_000,
    ],
)
def test_a_token_that_is_not_quite_right__is_401(flag: str, script: Script, change: object) -> None:
    assert callable(change)
    assert_unauthenticated(Script(change(script.token)), "GET", FLAGS)


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/api/v1/nothing", f"{PROJECT}/%00"])
def test_an_address_that_there_is_not__is_a_problem(script: Script, path: str) -> None:
    problem(script.get(path), 404)


def test_a_method_that_there_is_not__is_405(script: Script, flag: str) -> None:
    problem(script.call("PUT", FLAGS, {}), 405)
