"""Issuing and revoking API keys."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from portal.access import services
from portal.access.models import ApiKey, Environment, EnvironmentChange, User
from portal.access.services import IssuedKey
from portal.access.tokens import parse_token
from portal.audit.models import AuditEvent
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent
from tests.support.people import acting


def issue(
    environment: Environment,
    actor: User,
    now: datetime,
    *,
    kind: str = "server",
    name: str = "Web shop",
    expires_at: datetime | None = None,
) -> IssuedKey:
    return services.issue_key(
        environment=environment,
        kind=kind,
        name=name,
        intent=Intent(acting(actor), at=now),
        expires_at=expires_at,
        allowed_origins=["https://shop.example"] if kind == "client" else [],
    )


def everything_kept() -> str:
    """All that the database holds of keys and of what happened to them."""
    rows = [*ApiKey.objects.values(), *AuditEvent.objects.values()]
    return json.dumps(rows, default=str)


def test_issue_key__alice__gets_a_token_whose_secret_is_kept_nowhere(
    production: Environment, alice: User, now: datetime
) -> None:
    issued = issue(production, alice, now)
    kept = ApiKey.objects.get(pk=issued.key.pk)
    token = parse_token(str(issued.token))
    assert token
    assert (token.kind, token.selector) == ("server", kept.selector)
    assert token.proves(kept.verifier)
    assert token.secret not in everything_kept()
    assert kept.verifier not in json.dumps(list(AuditEvent.objects.values()), default=str)


def test_issue_key__alice__takes_a_version_and_leaves_word_for_the_relay(
    production: Environment, alice: User, now: datetime
) -> None:
    before = production.version
    issued = issue(production, alice, now)
    production.refresh_from_db()
    assert production.version == before + 1
    change = EnvironmentChange.objects.get(environment=production, version=before + 1)
    assert (change.kind, change.key) == ("key", issued.key.selector)
    event = AuditEvent.objects.first()
    assert event
    assert (event.event, event.subject, event.version) == (
        "key.created",
        issued.key.selector,
        before + 1,
    )


@pytest.mark.parametrize("person", ["dana", "bob", "charlie"])
def test_issue_key__who_may_not__is_forbidden_and_changes_nothing(
    production: Environment, charlie: User, now: datetime, person: str
) -> None:
    rows = AuditEvent.objects.count()
    with pytest.raises(Forbidden, match="manage API keys"):
        issue(production, User.objects.get(username=person), now)
    assert not ApiKey.objects.exists()
    assert AuditEvent.objects.count() == rows


@pytest.mark.parametrize(
    ("kind", "name", "field"),
    [
        ("master", "Web shop", "kind"),
        ("", "Web shop", "kind"),
        ("server", "", "name"),
        ("server", "   ", "name"),
        ("server", "x" * 101, "name"),
    ],
)
def test_issue_key__unusable_values__are_refused_by_field(
    production: Environment, alice: User, now: datetime, kind: str, name: str, field: str
) -> None:
    version = production.version
    with pytest.raises(Invalid) as refused:
        issue(production, alice, now, kind=kind, name=name)
    assert list(refused.value.problems) == [field]
    assert refused.value.problems[field]
    production.refresh_from_db()
    assert (production.version, ApiKey.objects.count()) == (version, 0)


@pytest.mark.parametrize("seconds", [0, -1])
def test_issue_key__expiry_not_in_the_future__is_refused(
    production: Environment, alice: User, now: datetime, seconds: int
) -> None:
    with pytest.raises(Invalid) as refused:
        issue(production, alice, now, expires_at=now + timedelta(seconds=seconds))
    assert refused.value.problems == {"expires_at": "Choose a time in the future, or none."}


def test_usable__expired_and_revoked_keys__are_not_among_them(
    production: Environment, alice: User, now: datetime
) -> None:
    forever = issue(production, alice, now).key
    soon = now + timedelta(seconds=1)
    brief = issue(production, alice, now, expires_at=soon).key
    revoked = issue(production, alice, now).key
    services.revoke_key(key=revoked, intent=Intent(acting(alice), at=now))
    assert set(ApiKey.objects.usable(now=now)) == {forever, brief}
    assert set(ApiKey.objects.usable(now=soon)) == {forever}


def test_revoke_key__twice__is_one_change_and_one_audit_row(
    production: Environment, alice: User, now: datetime
) -> None:
    key = issue(production, alice, now).key
    services.revoke_key(key=key, intent=Intent(acting(alice), at=now))
    services.revoke_key(key=key, intent=Intent(acting(alice), at=now + timedelta(hours=1)))
    key.refresh_from_db()
    production.refresh_from_db()
    assert key.is_revoked
    assert key.revoked_at == now
    assert AuditEvent.objects.filter(event="key.revoked", subject=key.selector).count() == 1
    changes = EnvironmentChange.objects.filter(environment=production, key=key.selector)
    assert [change.version for change in changes] == [
        production.version - 1,
        production.version,
    ]


def test_revoke_key__an_editor__is_forbidden(
    production: Environment, alice: User, dana: User, now: datetime
) -> None:
    key = issue(production, alice, now).key
    with pytest.raises(Forbidden):
        services.revoke_key(key=key, intent=Intent(acting(dana), at=now))
    key.refresh_from_db()
    assert not key.is_revoked


EDIT: dict[str, Any] = {
    "allowed_origins": ["https://shop.example"],
    "rate_limit": 50,
    "burst_limit": None,
}


def test_edit_key__alice__publishes_and_records_what_changed(
    production: Environment, alice: User, now: datetime
) -> None:
    key = issue(production, alice, now, kind="client").key
    services.edit_key(key=key, **EDIT, intent=Intent(acting(alice), at=now))
    services.edit_key(key=key, **EDIT, intent=Intent(acting(alice), at=now))
    key.refresh_from_db()
    production.refresh_from_db()
    assert (key.allowed_origins, key.rate_limit) == (["https://shop.example"], 50)
    event = AuditEvent.objects.get(event="key.edited", subject=key.selector)
    assert event.version == production.version
    assert (event.before_document or {})["rate_limit"] is None
    assert (event.after_document or {})["rate_limit"] == 50


def test_edit_key__who_may_not__is_forbidden(
    production: Environment, alice: User, dana: User, now: datetime
) -> None:
    key = issue(production, alice, now, kind="client").key
    with pytest.raises(Forbidden):
        services.edit_key(key=key, **EDIT, intent=Intent(acting(dana), at=now))


def test_edit_key__revoked__is_refused(production: Environment, alice: User, now: datetime) -> None:
    key = issue(production, alice, now, kind="client").key
    services.revoke_key(key=key, intent=Intent(acting(alice), at=now))
    with pytest.raises(Invalid, match="revoked"):
        services.edit_key(key=key, **EDIT, intent=Intent(acting(alice), at=now))


@pytest.mark.parametrize(
    ("kind", "change", "field"),
    [
        ("server", {}, "allowed_origins"),
        ("client", {"allowed_origins": ["shop.example"]}, "allowed_origins"),
        ("client", {"rate_limit": 0}, "rate_limit"),
        ("client", {"rate_limit": None, "burst_limit": 5}, "rate_limit"),
        ("client", {"burst_limit": 1_000_001}, "burst_limit"),
    ],
)
def test_edit_key__unusable_values__are_refused_by_field(
    production: Environment,
    alice: User,
    now: datetime,
    kind: str,
    change: dict[str, Any],
    field: str,
) -> None:
    key = issue(production, alice, now, kind=kind).key
    values: dict[str, Any] = EDIT | change
    with pytest.raises(Invalid) as refused:
        services.edit_key(key=key, **values, intent=Intent(acting(alice), at=now))
    assert list(refused.value.problems) == [field]
    assert not AuditEvent.objects.filter(event="key.edited").exists()
