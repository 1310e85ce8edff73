"""``manage.py createkey``."""

from datetime import datetime

import httpx
import pytest
from django.core.management import CommandError, call_command

from portal.access.models import ApiKey, Environment, Project
from portal.access.tokens import parse_token
from portal.audit.models import AuditEvent
from portal.lib import clock
from tests.support.stack import Stack
from tests.support.waiting import wait_until


def create_key(
    capsys: pytest.CaptureFixture[str], *, project: str = "shop", kind: str = "server"
) -> tuple[str, str]:
    """What it says on stdout and on stderr."""
    call_command("createkey", project=project, environment="production", kind=kind)
    said = capsys.readouterr()
    return said.out, said.err


@pytest.mark.parametrize("kind", ["server", "client", "admin"])
def test_createkey__each_kind__prints_a_token_that_works_and_nothing_else(
    production: Environment, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    out, err = create_key(capsys, kind=kind)
    token = parse_token(out.removesuffix("\n"))
    assert token
    key = ApiKey.objects.usable(now=clock.now()).get(selector=token.selector)
    assert (key.environment, key.kind) == (production, kind)
    assert token.proves(key.verifier)
    assert err == ""


def test_createkey__by_an_operator__names_the_command_in_the_audit_trail(
    production: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    create_key(capsys)
    event = AuditEvent.objects.get(event="key.created")
    assert (event.actor_kind, event.project, event.environment) == (
        "system",
        "shop",
        "production",
    )
    assert event.actor.startswith("manage.py createkey (")


def test_createkey__nothing_there__creates_project_and_environment_and_says_so_on_stderr(
    db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = create_key(capsys, project="new-shop")
    assert parse_token(out.strip())
    assert err == "created project new-shop\n"
    assert Project.objects.get().environments.get(key="production").kind == "production"


def test_createkey__malformed_project__is_one_clear_line(
    db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError, match=r"^key: Use 1 to 50 lower-case letters"):
        create_key(capsys, project="My Shop")
    assert not Project.objects.exists()


@pytest.mark.parametrize("missing", ["--project", "--environment", "--kind"])
def test_createkey__option_left_out__names_it(db: None, missing: str) -> None:
    options = {"--project": "shop", "--environment": "production", "--kind": "server"}
    del options[missing]
    words = [word for pair in options.items() for word in pair]
    with pytest.raises(CommandError, match=missing):
        call_command("createkey", *words)


def test_createkey__as_a_person_types_it__lets_an_application_in(stack: Stack) -> None:
    done = stack.manage(
        "createkey", "--project", "demo", "--environment", "production", "--kind", "server"
    )
    assert (done.returncode, done.stderr) == (0, "")
    token = done.stdout.removesuffix("\n")
    assert parse_token(token)

    def answer() -> int:
        return httpx.post(
            f"{stack.evaluator_url}/ofrep/v1/evaluate/flags/new-checkout",
            headers={"Authorization": f"Bearer {token}"},
            json={"context": {"targetingKey": "user-1"}},
        ).status_code

    wait_until(lambda: answer() == 200, what="the new key being let in")


def test_createkey__unknown_kind__is_refused_with_those_there_are(db: None, now: datetime) -> None:
    with pytest.raises(CommandError, match="invalid choice: 'master'"):
        call_command(
            "createkey", "--project", "shop", "--environment", "production", "--kind", "master"
        )
    assert not ApiKey.objects.exists()


def test_createkey__client_with_origins__may_be_used_from_those_pages(
    production: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--project", "shop", "--environment", "production", "--kind", "client"]
    origins = ["--origin", "https://Shop.example:443", "--origin", "http://localhost:3000"]
    call_command("createkey", *words, *origins)
    token = parse_token(capsys.readouterr().out.strip())
    assert token
    key = ApiKey.objects.get(selector=token.selector)
    assert key.allowed_origins == ["https://shop.example", "http://localhost:3000"]


@pytest.mark.parametrize(
    ("kind", "origin"), [("client", "shop.example"), ("server", "https://shop.example")]
)
def test_createkey__origin_that_makes_no_sense__is_one_clear_line(
    production: Environment, kind: str, origin: str
) -> None:
    words = ["--project", "shop", "--environment", "production", "--kind", kind]
    with pytest.raises(CommandError) as refused:
        call_command("createkey", *words, "--origin", origin)
    assert len(str(refused.value).splitlines()) == 1
    assert not ApiKey.objects.exists()
