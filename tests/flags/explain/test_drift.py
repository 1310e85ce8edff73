"""What was changed past the product: no row of the trail says it, and ``verifyaudit`` names it."""

import json
import random
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import transaction
from pytest_django import Settings

from flags.models import Flag
from portal.access import services as access
from portal.access.models import (
    ApiKey,
    User,
)
from portal.access.signin import people
from portal.approvals import services as approvals
from portal.audit import anchors, services as audit, states
from portal.audit.models import AuditEvent
from portal.lib import clock, journal
from portal.lib.errors import AviaryError
from portal.lib.journal import Intent
from tests.flags.explain.tampering import CHANGED_PAST_THE_PRODUCT, make_a_flag_up, turn_on
from tests.flags.explain.year import CHANGES, Year, begin
from tests.support import append_only
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.desk import Desk
from tests.support.people import acting

pytestmark = pytest.mark.django_db


def found() -> list[str]:
    return [str(drift) for drift in states.find_drifts()]


@pytest.fixture(autouse=True)
def _no_anchors(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in a file nor, of other tests, in Redis."""
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "anchors.jsonl")
    monkeypatch.setattr(anchors, "_sources", {})


@pytest.fixture
def year(desk: Desk, alice: User, erin: User) -> Year:
    """A project of every kind of thing, in which much has happened."""
    shop, actor, now = desk.flag.project, acting(alice), clock.now()
    made = Year(desk, alice, random.Random(7))
    begin(made)
    for _number in range(15):
        (change,) = made.dice.choices(list(CHANGES), weights=list(CHANGES.values()))
        try:
            change(made)
        except AviaryError:
            continue  # an archived flag, or a reference that may not be
    view = ["flag.view"]
    access.create_role(
        project=shop, key="crew", name="Crew", permissions=view, intent=Intent(actor)
    )
    crew = access.create_group(
        project=shop, key="night", name="Night", intent=Intent(actor, at=now)
    )
    access.add_to_group(group=crew, user=erin, intent=Intent(actor))
    access.grant_role(project=shop, to=crew, role="crew", intent=Intent(actor, at=now))
    gone = access.create_group(project=shop, key="day", name="Day", intent=Intent(actor, at=now))
    access.add_to_group(group=gone, user=erin, intent=Intent(actor))
    access.grant_role(
        project=shop,
        to=gone,
        role="crew",
        environment=desk.environment,
        intent=Intent(actor, at=now),
    )
    access.delete_group(group=gone, intent=Intent(actor))
    key = access.issue_key(
        environment=desk.environment, kind="admin", name="CI", intent=Intent(actor, at=now)
    ).key
    for kind in ("server", "admin"):
        access.issue_key(
            environment=desk.environment, kind=kind, name="A", intent=Intent(actor, at=now)
        )
    access.revoke_key(key=key, intent=Intent(actor, at=now))
    limited = ApiKey.objects.get(kind="server")
    access.edit_key(
        key=limited,
        allowed_origins=[],
        rate_limit=9,
        burst_limit=None,
        intent=Intent(actor, at=now),
    )
    poster = ApiKey.objects.get(kind="admin", revoked_at=None)
    access.set_evidence(key=poster, kinds=["scan"], intent=Intent(actor, at=now))
    people.set_active(user=erin, active=False, actor=actor)
    people.set_active(user=erin, active=True, actor=actor)
    access.edit_environment(environment=desk.environment, name="Live", intent=Intent(actor))
    access.edit_project(project=shop, name="The shop", intent=Intent(actor))
    names: list[str] = ["devops_lead"]
    approvals.reserve(
        environment=desk.environment,
        permission="release.deploy",
        names=names,
        intent=Intent(actor, at=now),
    )
    set_policy(shop.environments.get(key="staging"), **TWO_ROLES)
    return made


def test_drift__by_the_product_none__past_the_product_each_is_named(
    year: Year, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found() == []
    for change in CHANGED_PAST_THE_PRODUCT:
        with transaction.atomic():
            expected = change()
            assert any(expected in line for line in found()), (change, found())
            transaction.set_rollback(True)
    expected = turn_on()
    with pytest.raises(SystemExit) as ended:
        call_command("verifyaudit")
    assert ended.value.code == 1
    assert expected in capsys.readouterr().err


def test_drift__after_purges__is_none_and_what_was_changed_is_still_named(
    year: Year, settings: Settings
) -> None:
    settings.AUDIT_RETENTION_DAYS = 30
    for days in (31, 62):  # what one purge kept, the next one keeps again
        audit.purge(
            intent=Intent(journal.system("retention"), at=clock.now() + timedelta(days=days))
        )
        year.desk.edit(year.alice, description=f"after {days} days")
    assert found() == []
    assert turn_on() in "".join(found())
    assert make_a_flag_up() in "\n".join(found())


def test_digest__numbers_that_postgresql_spells_in_another_way__is_the_same() -> None:
    given = {"large": 1e23, "larger": 1.5e300, "none": -0.0, "small": 1.5e-7, "one": 1.0}
    held = {"large": 10**23, "larger": 15 * 10**299, "none": 0.0, "small": 0.00000015, "one": 1.0}
    assert states.digest_of(given) == states.digest_of(held)
    assert states.digest_of({"": 10**23}) != states.digest_of({"": 10**23 + 1})


def test_drift__row_of_an_older_version_that_does_not_say__is_no_drift(
    new_checkout: Flag,
) -> None:
    with append_only.lifted():
        row = AuditEvent.objects.get(event="flag.created")
        row.after = json.dumps(new_checkout.document)
        row.save(update_fields=["after"], force_update=True)
    assert found() == []
