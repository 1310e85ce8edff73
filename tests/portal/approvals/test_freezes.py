"""Creating, editing and cancelling freeze windows: who may, what is refused, what is kept."""

import json
from typing import Any

import pytest

from portal.access import services as access
from portal.access.models import Environment, Project, User
from portal.approvals.freezes import services as freeze_services
from portal.approvals.freezes.models import FreezeWindow
from portal.approvals.freezes.selectors import freezes_in_force, freezes_of
from portal.audit import selectors as audit
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.journal import Intent
from tests.support.freezing import a_freeze, around_now, freeze_document, freeze_now
from tests.support.people import SETTING_UP, acting, create_person, give_role
from tests.support.rows import everything_kept

WEEKENDS = "FREQ=WEEKLY;BYDAY=FR"


def create(project: Project, person: User, **changes: object) -> FreezeWindow:
    return freeze_services.create_freeze(
        project=project, document=freeze_document(**changes), intent=Intent(acting(person))
    )


def edit(freeze: FreezeWindow, person: User, seen: int | None = None, **changes: Any) -> None:
    freeze.refresh_from_db()
    freeze_services.edit_freeze(
        freeze=freeze,
        document=freeze.document | changes,
        expected_version=freeze.version if seen is None else seen,
        intent=Intent(acting(person)),
    )


def cancel(freeze: FreezeWindow, person: User) -> None:
    freeze_services.cancel_freeze(freeze=freeze, intent=Intent(acting(person), reason="sale over"))


def last_event() -> AuditEvent:
    event = AuditEvent.objects.order_by("sequence").last()
    assert event
    return event


@pytest.fixture
def heidi(shop: Project) -> User:
    """Leads DevOps in staging alone."""
    person = create_person("heidi")
    give_role(shop, person, "devops_lead", shop.environments.get(key="staging"))
    return person


def test_create__alice__is_kept_and_recorded(shop: Project, alice: User) -> None:
    freeze = create(shop, alice, rrule=WEEKENDS, environments=["production", "development"])
    assert freeze.document["environments"] == ["development", "production"]
    event = last_event()
    assert (event.event, event.actor, event.subject) == ("freeze.created", "alice", str(freeze.pk))
    said = json.loads(event.after or "")
    assert said["rrule"] == WEEKENDS
    assert said["words"].endswith("(Europe/Berlin), every week on Friday")
    assert audit.chain_fault() is None


@pytest.mark.parametrize(
    ("field", "changes", "says"),
    [
        ("name", {"name": "  "}, "Give it a name"),
        ("name", {"name": "n" * 101}, "at most 100"),
        ("name", {"name": 7}, "Send a text"),
        ("reason", {"reason": "r" * 1001}, "at most 1000"),
        ("environments", {"environments": []}, "at least one"),
        ("environments", {"environments": "production"}, "at least one"),
        ("environments", {"environments": ["moon"]}, "no environment called moon"),
        ("environments", {"environments": ["staging", "staging"]}, "once"),
        ("starts", {"starts": "soon"}, "a day and a time"),
        ("starts", {"starts": "2098-02-30T10:00"}, "a day and a time"),
        ("starts", {"starts": "2098-12-24T16:00+01:00"}, "a day and a time"),
        ("ends", {"ends": "9999-12-31T23:59"}, "from 2000 to 2199"),
        ("ends", {"ends": "2098-12-24T16:00"}, "end after it starts"),
        ("ends", {"ends": "2099-12-27T08:00"}, "a year at most"),
        ("ends", {"starts": "2001-01-01T00:00", "ends": "2001-01-02T00:00"}, "over already"),
        ("zone", {"zone": "Mars/Olympus"}, "IANA name"),
        ("zone", {"zone": "../../etc/passwd"}, "IANA name"),
        ("zone", {"zone": ""}, "IANA name"),
        ("rrule", {"rrule": "FREQ=SECONDLY"}, "FREQ is"),
        ("rrule", {"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "never be in force"),
        ("rrule", {"rrule": "FREQ=DAILY;UNTIL=20970101"}, "never be in force"),
        ("colour", {"colour": "red"}, "no such field"),
    ],
)
def test_create__what_cannot_be__names_the_field_and_keeps_nothing(
    shop: Project, alice: User, field: str, changes: dict[str, object], says: str
) -> None:
    before = everything_kept()
    with pytest.raises(Invalid, match=says) as error:
        create(shop, alice, **changes)
    assert list(error.value.problems) == [field]
    assert everything_kept() == before


def test_create__a_name_twice__is_refused_until_the_first_is_cancelled(
    shop: Project, alice: User
) -> None:
    first = create(shop, alice)
    with pytest.raises(Invalid, match="choose another"):
        create(shop, alice)
    cancel(first, alice)
    assert create(shop, alice).pk != first.pk


@pytest.mark.parametrize("person", ["bob", "charlie", "dana"])
def test_who_does_not_configure_environments__is_forbidden(
    shop: Project, charlie: User, person: str
) -> None:
    freeze, somebody = a_freeze(shop), User.objects.get(username=person)
    before = everything_kept()
    with pytest.raises(Forbidden, match="configure environments"):
        create(shop, somebody, name="Other")
    with pytest.raises(Forbidden):
        edit(freeze, somebody, name="Other")
    with pytest.raises(Forbidden):
        cancel(freeze, somebody)
    assert everything_kept() == before


def test_heidi_of_staging__plans_freezes_there_alone(shop: Project, heidi: User) -> None:
    freeze = create(shop, heidi, environments=["staging"])
    for keys in (["production"], ["staging", "production"]):
        with pytest.raises(Forbidden):
            create(shop, heidi, name="Other", environments=keys)
        with pytest.raises(Forbidden):
            edit(freeze, heidi, environments=keys)
    both = a_freeze(shop, name="Both", environments=["staging", "production"])
    with pytest.raises(Forbidden):
        edit(both, heidi, environments=["staging"])
    with pytest.raises(Forbidden):
        cancel(both, heidi)


def test_edit__says_what_changed(shop: Project, alice: User) -> None:
    freeze = create(shop, alice)
    edit(freeze, alice, rrule="FREQ=YEARLY", environments=["staging"])
    event = last_event()
    assert event.event == "freeze.edited"
    assert json.loads(event.after or "")["words"] == [
        "Environments: staging instead of development.",
        "Repeats: every year instead of once.",
    ]
    freeze.refresh_from_db()
    assert freeze.version == 2


def test_edit__nothing_changed__is_no_event(shop: Project, alice: User) -> None:
    freeze = create(shop, alice)
    edit(freeze, alice)
    assert last_event().event == "freeze.created"


def test_edit__of_what_somebody_else_changed__is_a_conflict_with_both_sides(
    shop: Project, alice: User
) -> None:
    freeze = create(shop, alice)
    edit(freeze, alice, reason="for the sale")
    with pytest.raises(Conflict) as error:
        edit(freeze, alice, seen=1, name="Christmas")
    assert error.value.current["reason"] == "for the sale"
    assert error.value.yours["name"] == "Christmas"


@pytest.fixture
def ivan(shop: Project, production: Environment) -> User:
    """Configures environments, but may not override freezes of production."""
    access.create_role(
        project=shop,
        key="planner",
        name="Planner",
        permissions=["flag.view", "environment.configure"],
        intent=Intent(SETTING_UP),
    )
    person = create_person("ivan")
    give_role(shop, person, "planner")
    return person


@pytest.mark.parametrize(
    "changes",
    [
        around_now(hours=5),
        around_now(ago=-1),
        {"environments": ["staging"]},
        {"zone": "Pacific/Kiritimati"},
    ],
    ids=["shortened", "moved", "elsewhere", "earlier by its zone"],
)
def test_a_freeze_in_force__ivan__cannot_make_it_less(
    production: Environment, ivan: User, alice: User, changes: dict[str, Any]
) -> None:
    freeze = freeze_now(production)
    before = everything_kept()
    with pytest.raises(Forbidden, match="change things during a freeze"):
        edit(freeze, ivan, **changes)
    with pytest.raises(Forbidden, match="change things during a freeze"):
        cancel(freeze, ivan)
    assert everything_kept() == before
    edit(freeze, alice, **changes)
    assert last_event().event == "freeze.edited"


@pytest.mark.parametrize(
    "changes",
    [{"name": "Long weekend"}, around_now(hours=99), {"environments": ["staging", "production"]}],
    ids=["renamed", "longer", "wider"],
)
def test_a_freeze_in_force__ivan__can_make_it_more(
    production: Environment, ivan: User, changes: dict[str, Any]
) -> None:
    edit(freeze_now(production), ivan, **changes)
    assert last_event().actor == "ivan"


def test_a_freeze_to_come__ivan__can_cancel_it(shop: Project, ivan: User) -> None:
    freeze = a_freeze(shop)
    cancel(freeze, ivan)
    event = last_event()
    assert (event.event, event.reason) == ("freeze.cancelled", "sale over")
    assert not freezes_of(shop).exists()
    with pytest.raises(Invalid, match="ivan has cancelled"):
        cancel(freeze, ivan)
    with pytest.raises(Invalid, match="ivan has cancelled"):
        edit(freeze, ivan, name="Again")


def test_what_is_in_force__costs_one_query_however_much_there_is(
    shop: Project, production: Environment, staging: Environment, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        freeze_now(production, staging, name=f"Weekend {number}")
        a_freeze(shop, name=f"Later {number}", rrule=WEEKENDS)
    places = list(shop.environments.all())
    with django_assert_num_queries(1):
        found = freezes_in_force(places, clock.now())
    assert len(found) == 5
    assert {place.key for one in found for place in one.environments} == {"production", "staging"}
