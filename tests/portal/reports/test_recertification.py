"""Recertification: each role and key confirmed or taken away, by somebody else, and signed off."""

import csv
import io
from datetime import datetime

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from portal.access import services as access
from portal.access.models import ApiKey, Environment, Project, User
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent
from portal.reports import services
from portal.reports.models import Recertification, RecertificationItem
from tests.support.people import SETTING_UP, acting, client_of, create_person, give_role

PAGE = "/p/shop/reports/recertification/"


@pytest.fixture
def gina(shop: Project) -> User:
    """A second admin, who can decide about alice."""
    person = create_person("gina")
    give_role(shop, person, "project_admin")
    return person


@pytest.fixture
def issued(production: Environment, alice: User, now: datetime) -> ApiKey:
    return access.issue_key(
        environment=production, kind="server", name="Shop", intent=Intent(acting(alice), at=now)
    ).key


@pytest.fixture
def current(gina: User, alice: User, shop: Project, issued: ApiKey) -> Recertification:
    return services.start_recertification(project=shop, intent=Intent(acting(alice)))


def item_of(holder: str, what: str = "") -> RecertificationItem:
    return RecertificationItem.objects.get(holder=holder, what__contains=what)


def confirm(person: User, holder: str, what: str = "") -> None:
    services.confirm_item(item=item_of(holder, what), intent=Intent(acting(person)))


def confirm_all(alice: User, gina: User) -> None:
    for item in RecertificationItem.objects.all():
        other = gina if item.holder == "alice" else alice
        services.confirm_item(item=item, intent=Intent(acting(other)))


def sign_off(current: Recertification, person: User) -> None:
    services.sign_off(recertification=current, intent=Intent(acting(person)))


def test_a_round__lists_every_role_and_key(current: Recertification) -> None:
    found = {(one.holder, one.what, one.place) for one in current.items.all()}
    assert found == {
        ("alice", "project admin", "all environments"),
        ("gina", "project admin", "all environments"),
        ("dana", "developer", "all environments"),
        ("bob", "viewer", "all environments"),
        ("alice", "server key “Shop”", "Production"),
    }


def test_a_second_round__is_refused_while_one_is_open(
    current: Recertification, shop: Project, alice: User
) -> None:
    with pytest.raises(Invalid, match="is open already"):
        services.start_recertification(project=shop, intent=Intent(acting(alice)))
    with pytest.raises(IntegrityError), transaction.atomic():
        Recertification.objects.create(project=shop, started_at=clock.now(), started_by="x")


@pytest.mark.parametrize("what", ["project admin", "key"])
def test_nobody_decides_about_their_own(current: Recertification, alice: User, what: str) -> None:
    item = item_of("alice", what)
    for decide in (services.confirm_item, services.revoke_item):
        with pytest.raises(Invalid, match="Somebody else has to decide"):
            decide(item=item, intent=Intent(acting(alice)))
    item.refresh_from_db()
    assert item.is_undecided


def test_nobody_decides_about_what_they_hold_through_a_group(
    shop: Project, alice: User, gina: User, now: datetime
) -> None:
    crew = access.create_group(
        project=shop, key="crew", name="Crew", intent=Intent(SETTING_UP, at=now)
    )
    give_role(shop, crew, "qa")
    access.add_to_group(group=crew, user=alice, intent=Intent(SETTING_UP))
    services.start_recertification(project=shop, intent=Intent(acting(alice), at=now))
    with pytest.raises(Invalid, match="Somebody else"):
        confirm(alice, "group Crew")
    confirm(gina, "group Crew")


def test_taken_away__the_role_is_gone_and_the_line_stays(
    current: Recertification, alice: User, dana: User
) -> None:
    services.revoke_item(item=item_of("dana"), intent=Intent(acting(alice)))
    assert not dana.grants.exists()
    item = item_of("dana")
    assert (item.decision, item.decided_by, item.grant) == ("revoked", "alice", None)
    events = [one.event for one in AuditEvent.objects.all()[:2]]
    assert events == ["recertification.revoked", "grant.revoked"]


def test_taken_away__a_key_opens_nothing_any_more(
    current: Recertification, gina: User, issued: ApiKey
) -> None:
    services.revoke_item(item=item_of("alice", "key"), intent=Intent(acting(gina)))
    issued.refresh_from_db()
    assert issued.is_revoked


def test_taken_away__not_the_last_admin(current: Recertification, alice: User, gina: User) -> None:
    access.set_role(project=current.project, user=alice, role="viewer", intent=Intent(SETTING_UP))
    root = create_person("root")
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    with pytest.raises(Invalid, match="Nobody could manage the members"):
        services.revoke_item(item=item_of("gina"), intent=Intent(acting(root)))
    assert gina.grants.exists()


def test_sign_off__waits_until_everything_has_been_looked_at(
    current: Recertification, alice: User, gina: User
) -> None:
    confirm(alice, "dana")
    with pytest.raises(Invalid, match="4 roles and keys have not been looked at yet"):
        sign_off(current, alice)
    confirm_all(alice, gina)
    sign_off(current, alice)
    current.refresh_from_db()
    assert (current.signed_off_by, current.is_open) == ("alice", False)
    event = AuditEvent.objects.get(event="recertification.signed_off")
    assert event.after_document == {"items": 5, "confirmed": 5, "taken_away": 0}


def test_what_went_away_elsewhere__need_not_be_looked_at(
    current: Recertification, alice: User, gina: User, dana: User
) -> None:
    access.remove_member(project=current.project, user=dana, intent=Intent(SETTING_UP))
    with pytest.raises(Invalid, match="nothing to confirm"):
        confirm(alice, "dana")
    for item in RecertificationItem.objects.exclude(holder="dana"):
        other = gina if item.holder == "alice" else alice
        services.confirm_item(item=item, intent=Intent(acting(other)))
    sign_off(current, gina)


def test_after_the_sign_off__nothing_is_decided_any_more(
    current: Recertification, alice: User, gina: User, shop: Project
) -> None:
    confirm_all(alice, gina)
    sign_off(current, alice)
    with pytest.raises(Invalid, match="is signed off"):
        services.revoke_item(item=item_of("dana"), intent=Intent(acting(alice)))
    services.start_recertification(project=shop, intent=Intent(acting(gina)))


def test_confirming_twice__is_recorded_once(
    current: Recertification, alice: User, gina: User
) -> None:
    for person in (alice, gina):
        confirm(person, "dana")
    assert AuditEvent.objects.filter(event="recertification.confirmed").count() == 1
    assert item_of("dana").decided_by == "alice"


def test_who_may_not_manage_members__starts_decides_and_signs_nothing(
    current: Recertification, dana: User, shop: Project
) -> None:
    now, actor = clock.now(), acting(dana)
    item = item_of("bob")
    for attempt in (
        lambda: services.start_recertification(project=shop, intent=Intent(actor, at=now)),
        lambda: services.confirm_item(item=item, intent=Intent(actor, at=now)),
        lambda: services.revoke_item(item=item, intent=Intent(actor, at=now)),
        lambda: services.sign_off(recertification=current, intent=Intent(actor, at=now)),
    ):
        with pytest.raises(Forbidden):
            attempt()


def test_the_page__from_the_start_to_the_sign_off(
    alice_client: Client, gina: User, shop: Project, bob: User
) -> None:
    assert "Never done yet" in alice_client.get(PAGE).content.decode()
    started = alice_client.post(f"{PAGE}start").content.decode()
    assert "4 not looked at yet: alice, bob, dana, gina" in " ".join(started.split())
    assert "Your own: somebody else has to decide." in started
    for holder in ("bob", "gina"):
        assert alice_client.post(f"{PAGE}{item_of(holder).pk}/confirm").status_code == 200
    assert alice_client.post(f"{PAGE}{item_of('dana').pk}/revoke").status_code == 200
    refused = alice_client.post(f"{PAGE}sign-off")
    assert refused.status_code == 400
    assert "1 role or key has not been looked at yet." in refused.content.decode()
    hers = client_of(gina)
    hers.post(f"{PAGE}{item_of('alice').pk}/confirm")
    assert "Signed off by gina" in hers.post(f"{PAGE}sign-off").content.decode()
    file = alice_client.get("/p/shop/reports/recertification.csv").getvalue().decode()
    decided = {(row[0], row[3], row[4]) for row in list(csv.reader(io.StringIO(file)))[1:]}
    assert decided == {
        ("alice", "confirmed", "gina"),
        ("bob", "confirmed", "alice"),
        ("gina", "confirmed", "alice"),
        ("dana", "taken away", "alice"),
    }


def test_another_projects_lines__are_not_reached(
    current: Recertification, charlie: User, garden: Project
) -> None:
    address = f"/p/garden/reports/recertification/{item_of('dana').pk}/revoke"
    assert client_of(charlie).post(address).status_code == 404
    assert item_of("dana").is_undecided
