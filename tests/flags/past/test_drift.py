"""What was changed past the product: no row of the trail says it, and ``verifyaudit`` names it."""

import json
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import transaction
from pytest_django import Settings

from flags.models import ExclusionGroup, Flag, FlagConfiguration, KeyList, Segment
from flags.models.key_list import pack
from portal.access import services as access
from portal.access.models import ActionRule, ApiKey, CustomRole, Grant, Group, Project, User
from portal.approvals.models import Policy
from portal.audit import anchors, states
from portal.audit import services as audit
from portal.audit.models import AuditEvent
from portal.lib import clock, journal
from portal.lib.errors import AviaryError
from tests.flags.past.year import CHANGES, Year, begin
from tests.flags.services.writes import Desk
from tests.support import append_only
from tests.support.agreeing import TWO_ROLES, set_policy
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
    access.create_role(project=shop, key="crew", name="Crew", permissions=view, actor=actor)
    crew = access.create_group(project=shop, key="night", name="Night", actor=actor, now=now)
    access.add_to_group(group=crew, user=erin, actor=actor)
    access.grant_role(project=shop, to=crew, role="crew", actor=actor, now=now)
    gone = access.create_group(project=shop, key="day", name="Day", actor=actor, now=now)
    access.add_to_group(group=gone, user=erin, actor=actor)
    access.grant_role(
        project=shop, to=gone, role="crew", environment=desk.environment, actor=actor, now=now
    )
    access.delete_group(group=gone, actor=actor)
    key = access.issue_key(
        environment=desk.environment, kind="admin", name="CI", actor=actor, now=now
    ).key
    for kind in ("server", "admin"):
        access.issue_key(environment=desk.environment, kind=kind, name="A", actor=actor, now=now)
    access.revoke_key(key=key, actor=actor, now=now)
    names: list[str] = ["devops_lead"]
    access.reserve(
        environment=desk.environment,
        permission="release.deploy",
        names=names,
        actor=actor,
        now=now,
    )
    set_policy(shop.environments.get(key="staging"), **TWO_ROLES)
    return made


def turn_on() -> str:
    one = FlagConfiguration.objects.select_related("flag", "environment").latest("pk")
    enabled = not one.enabled
    FlagConfiguration.objects.filter(pk=one.pk).update(enabled=enabled)
    return f"configuration {one.flag.key} in shop/{one.environment.key}: it is not what row"


def change_a_value() -> str:
    Flag.objects.filter(key="new-checkout").update(name="Another")
    return "definition new-checkout in shop: it is not what row"


def archive() -> str:
    flag = Flag.objects.get(key="new-checkout")
    Flag.objects.filter(pk=flag.pk).update(archived_at=None if flag.archived_at else clock.now())
    return "archiving new-checkout in shop: it is not what row"


def widen_a_segment() -> str:
    Segment.objects.filter(key="inner").update(when={"attribute": "a", "operator": "exists"})
    return "segment inner in shop: it is not what row"


def put_someone_in_a_list() -> str:
    used = Segment.objects.get(key="beta").included
    with append_only.lifted():
        KeyList.objects.filter(pk=used.pk).update(content=pack(["mallory"])[1])
    return "segment beta in shop: it is not what row"


def widen_a_group() -> str:
    ExclusionGroup.objects.filter(key="line").update(holdout=0, name="Another line")
    return "exclusion group line in shop: it is not what row"


def make_a_flag_up() -> str:
    flag = Flag.objects.get(key="new-checkout")
    flag.pk, flag.key = None, "made-up"
    flag.save()
    return "definition made-up in shop: no row says where it comes from"


def lower_a_policy() -> str:
    Policy.objects.update(required_approvals=1)
    return "policy staging in shop/staging: it is not what row"


def take_a_policy_away() -> str:
    Policy.objects.all().delete()
    return "that it is there, and it is gone"


def give_a_role() -> str:
    mallory = User.objects.get(username="bob")
    project = Project.objects.get(key="shop")
    Grant.objects.create(project=project, role="devops_lead", user=mallory, given_at=clock.now())
    return "role devops_lead of bob in shop: no row says where it comes from"


def permit_more() -> str:
    CustomRole.objects.update(permissions=["change_request.approve"])
    return "role crew in shop: it is not what row"


def open_a_reservation() -> str:
    ActionRule.objects.update(roles=["viewer"])
    return "reservation release.deploy in shop/production: it is not what row"


def join_a_group() -> str:
    Group.objects.get(key="night").members.add(User.objects.get(username="bob"))
    return "member bob of group night in shop: no row says where it comes from"


def bring_a_key_back() -> str:
    ApiKey.objects.exclude(revoked_at=None).update(revoked_at=None)
    return "no row says where it comes from"


def let_a_key_post_evidence() -> str:
    key = ApiKey.objects.get(kind="admin", revoked_at=None)
    ApiKey.objects.filter(pk=key.pk).update(evidence=["security_scan"])
    return f"evidence of {key.selector} in shop/production: it is not what row"


def become_administrator() -> str:
    User.objects.filter(username="bob").update(is_superuser=True)
    return "account bob: it is not what row"


CHANGED_PAST_THE_PRODUCT: list[Callable[[], str]] = [
    turn_on,
    change_a_value,
    archive,
    widen_a_segment,
    put_someone_in_a_list,
    widen_a_group,
    make_a_flag_up,
    lower_a_policy,
    take_a_policy_away,
    give_a_role,
    permit_more,
    open_a_reservation,
    join_a_group,
    bring_a_key_back,
    let_a_key_post_evidence,
    become_administrator,
]


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
        audit.purge(actor=journal.system("retention"), now=clock.now() + timedelta(days=days))
        year.desk.edit(year.alice, description=f"after {days} days")
    assert found() == []
    assert turn_on() in "".join(found())
    assert make_a_flag_up() in "\n".join(found())


def test_drift__row_of_an_older_version_that_does_not_say__is_no_drift(
    new_checkout: Flag,
) -> None:
    with append_only.lifted():
        row = AuditEvent.objects.get(event="flag.created")
        row.after = json.dumps(new_checkout.document)
        row.save(update_fields=["after"], force_update=True)
    assert found() == []
