"""When admin keys were last used: noted by the management API, at most once a minute."""

from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from django.db import OperationalError
from django.db.models import QuerySet
from django.test import Client

from flags.models import Flag
from portal.access import services
from portal.access.models import ApiKey, Environment
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.support.people import SETTING_UP

pytestmark = pytest.mark.postgresql


@pytest.fixture
def pipeline(production: Environment, new_checkout: Flag, now: datetime) -> services.IssuedKey:
    return services.issue_key(
        environment=production, kind="admin", name="Pipeline", intent=Intent(SETTING_UP, at=now)
    )


def ask(pipeline: services.IssuedKey) -> int:
    headers = {"Authorization": f"Bearer {pipeline.token}"}
    return Client().get("/api/v1/projects/shop/flags", headers=headers).status_code


def last_use() -> datetime | None:
    return ApiKey.objects.get().last_used_at


def test_the_first_use__is_noted_and_not_recorded(pipeline: services.IssuedKey) -> None:
    events = AuditEvent.objects.count()
    assert last_use() is None
    assert ask(pipeline) == 200
    used_at = last_use()
    assert used_at
    assert datetime.now(UTC) - used_at < timedelta(seconds=20)
    assert AuditEvent.objects.count() == events


@pytest.mark.parametrize(("ago_s", "is_noted"), [(30, False), (61, True)])
def test_the_next_use__is_noted_after_a_minute(
    pipeline: services.IssuedKey, ago_s: int, is_noted: bool
) -> None:
    before = datetime.now(UTC) - timedelta(seconds=ago_s)
    ApiKey.objects.update(last_used_at=before)
    assert ask(pipeline) == 200
    assert (last_use() != before) is is_noted


def test_a_key_that_is_refused__was_not_used(pipeline: services.IssuedKey, now: datetime) -> None:
    services.revoke_key(key=pipeline.key, intent=Intent(SETTING_UP, at=now))
    assert ask(pipeline) == 401
    assert last_use() is None


def test_a_database_that_cannot_write__still_answers(pipeline: services.IssuedKey) -> None:
    with mock.patch.object(QuerySet, "update", side_effect=OperationalError("locked")):
        assert ask(pipeline) == 200
