"""Restoring what a record of the history says: the differences first, then a governed change."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse

from flags.core import configurations, definitions
from flags.models import Flag, FlagConfiguration, Segment
from flags.segments.key_lists import KeyChange, Mode
from flags.segments.services import change_keys, create_segment
from portal.access.models import Environment, Project, User
from portal.access.services import create_role, names_reserved
from portal.approvals.models import ChangeRequest, Policy
from portal.approvals.services import edit_role, reserve
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.portal.approvals_web.conftest import all_kept, at, text_of
from tests.support.agreeing import TWO_ROLES, ask_for_something, set_policy
from tests.support.desk import RULE
from tests.support.freezing import a_freeze, around_now
from tests.support.people import acting


def configuration(flag: Flag, environment: Environment) -> FlagConfiguration:
    return FlagConfiguration.objects.get(flag=flag, environment=environment)


def save(flag: Flag, environment: Environment, person: User, **fields: object) -> int:
    """Save a configuration with these fields; the record of it."""
    current = configuration(flag, environment)
    configurations.save_configuration(
        flag=flag,
        environment=environment,
        document=current.document | fields,
        expected_version=current.version,
        intent=Intent(acting(person)),
    )
    return last_record()


def last_record() -> int:
    return AuditEvent.objects.latest("sequence").sequence


def opened(person: User, record: int) -> str:
    return text_of(at(person).open(f"history/{record}/restore"))


def restored(person: User, record: int, version: object, **fields: object) -> HttpResponse:
    return at(person).send(f"history/{record}/restore", version=version, **fields)


def test_restore__earlier_targeting__shows_what_would_change_and_makes_it_so(
    new_checkout: Flag, staging: Environment, dana: User
) -> None:
    record = save(new_checkout, staging, dana, enabled=True, rules=[RULE])
    before = configuration(new_checkout, staging).document
    save(new_checkout, staging, dana, rules=[], off_variant="on")
    kept = all_kept()
    page = opened(dana, record)
    assert "Restore new-checkout" in page
    assert "country is one of DE" in page
    assert "off_variant" in page
    assert all_kept() == kept  # looking changes nothing
    now = configuration(new_checkout, staging)
    answer = restored(dana, record, now.version, reason="INC-7")
    assert answer["HX-Redirect"] == "/p/shop/flag/targeting/staging/new-checkout"
    assert configuration(new_checkout, staging).document == before
    event = AuditEvent.objects.latest("sequence")
    assert (event.event, event.actor, event.reason) == ("flag.targeting_changed", "dana", "INC-7")


def test_restore__where_a_policy_stands__is_asked_for(
    new_checkout: Flag, production: Environment, dana: User, erin: User, frank: User
) -> None:
    record = save(new_checkout, production, dana, enabled=True)
    save(new_checkout, production, dana, enabled=False)
    set_policy(production, **TWO_ROLES)
    assert "Ask for approval" in opened(dana, record)
    now = configuration(new_checkout, production)
    answer = restored(dana, record, now.version)
    asked = ChangeRequest.objects.get()
    assert answer["HX-Redirect"] == f"/p/shop/changes/{asked.pk}"
    assert asked.title == "Turn on New checkout in Production"
    assert configuration(new_checkout, production).document == now.document


def test_restore__begins_to_be_served_in_production__takes_its_name(
    new_checkout: Flag, production: Environment, dana: User
) -> None:
    record = save(new_checkout, production, dana, enabled=True)
    save(new_checkout, production, dana, enabled=False)
    assert "Type <code>production</code> to confirm" in opened(dana, record)
    version = configuration(new_checkout, production).version
    refused = restored(dana, record, version, typed="prod")
    assert refused.status_code == 422
    assert "That is not production. Nothing was changed." in text_of(refused)
    assert not configuration(new_checkout, production).enabled
    restored(dana, record, version, typed="production")
    assert configuration(new_checkout, production).enabled


def test_restore__that_only_turns_off__takes_no_votes(
    new_checkout: Flag, production: Environment, dana: User, erin: User, frank: User
) -> None:
    save(new_checkout, production, dana, enabled=True)
    record = save(new_checkout, production, dana, enabled=False)
    save(new_checkout, production, dana, enabled=True)
    set_policy(production, **TWO_ROLES)
    assert "Ask for approval" not in opened(dana, record)
    restored(dana, record, configuration(new_checkout, production).version)
    assert not configuration(new_checkout, production).enabled
    assert not ChangeRequest.objects.exists()


def test_restore__names_a_deleted_variant__is_refused_naming_it(
    new_checkout: Flag, staging: Environment, dana: User
) -> None:
    edit(new_checkout, dana, [*new_checkout.variants, {"key": "maybe", "value": True}])
    record = save(new_checkout, staging, dana, off_variant="maybe")
    save(new_checkout, staging, dana, off_variant="off")
    edit(new_checkout, dana, new_checkout.variants)
    page = opened(dana, record)
    assert "It cannot be restored as it was." in page
    assert "maybe" in page
    assert "Restore this version" not in page
    now = configuration(new_checkout, staging)
    assert restored(dana, record, now.version).status_code == 422
    assert configuration(new_checkout, staging).document == now.document


def edit(flag: Flag, person: User, variants: object) -> None:
    flag = Flag.objects.get(pk=flag.pk)
    definitions.edit_flag(
        flag=flag,
        document=flag.document | {"variants": variants},
        expected_version=flag.version,
        intent=Intent(acting(person)),
    )


def test_restore__changed_meanwhile__conflicts_and_shows_the_differences_anew(
    new_checkout: Flag, staging: Environment, dana: User
) -> None:
    record = save(new_checkout, staging, dana, enabled=True)
    seen = configuration(new_checkout, staging).version
    save(new_checkout, staging, dana, off_variant="on")
    answer = restored(dana, record, seen)
    assert answer.status_code == 409
    assert "This was changed meanwhile: look at what would change now." in text_of(answer)
    assert restored(dana, record, "no version").status_code == 409
    assert configuration(new_checkout, staging).targeting["off_variant"] == "on"


def test_restore__without_the_right__says_what_it_takes(
    new_checkout: Flag, staging: Environment, dana: User, bob: User
) -> None:
    record = save(new_checkout, staging, dana, enabled=True)
    save(new_checkout, staging, dana, enabled=False)
    assert "This needs the permission" in opened(bob, record)
    now = configuration(new_checkout, staging)
    assert restored(bob, record, now.version).status_code == 403
    assert configuration(new_checkout, staging).document == now.document


def test_restore__definition_segment_and_policy__as_well(
    new_checkout: Flag, shop: Project, staging: Environment, alice: User
) -> None:
    edit(new_checkout, alice, [*new_checkout.variants, {"key": "maybe", "value": True}])
    definition = last_record()
    edit(new_checkout, alice, new_checkout.variants)
    restored(alice, definition, Flag.objects.get(pk=new_checkout.pk).version)
    assert [one["key"] for one in Flag.objects.get(pk=new_checkout.pk).variants][-1] == "maybe"

    segment = create_segment(
        project=shop, document={"key": "staff", "included": ["ann"]}, intent=Intent(acting(alice))
    )
    record = last_record()
    change = KeyChange("included", Mode.ADD, ["ben"])
    change_keys(segment=segment, change=change, intent=Intent(acting(alice)))
    page = opened(alice, record)
    assert "ben" in page
    restored(alice, record, Segment.objects.get().version)
    assert Segment.objects.get().included.keys == ("ann",)

    set_policy(staging, required_approvals=1)
    record = last_record()
    for policy in AuditEvent.objects.filter(event="policy.set"):
        record = policy.sequence
    set_policy(staging, required_approvals=2)
    opened(alice, record)
    answer = restored(alice, record, Policy.objects.get().version)
    assert ChangeRequest.objects.get().kind == "policy", answer


@pytest.mark.parametrize("event", ["project.created", "environment.created"])
def test_record_that_does_not_say_all__has_nothing_to_restore(
    event: str, shop: Project, alice: User
) -> None:
    record = AuditEvent.objects.filter(event=event).latest("sequence").sequence
    assert at(alice).open(f"history/{record}/restore").status_code == 404
    assert "Restore this version" not in text_of(at(alice).open(f"history/{record}"))


def test_every_list_of_the_history_leads_there(
    new_checkout: Flag, staging: Environment, dana: User
) -> None:
    record = save(new_checkout, staging, dana, enabled=True)
    link = f'href="/p/shop/history/{record}/restore"'
    for page in (f"history/{record}", "history/", "flag/history/new-checkout"):
        assert link in text_of(at(dana).open(page)), page


def test_restore__what_asks_who_somebody_is__asks_here_too(
    shop: Project, staging: Environment, alice: User, settings: Any
) -> None:
    by = Intent(acting(alice))
    reserve(environment=staging, permission="flag.edit", names=["developer"], intent=by)
    record = last_record()
    reserve(environment=staging, permission="flag.edit", names=None, intent=by)
    settings.REAUTHENTICATION_TIMEOUT = timedelta()
    assert "Is it still you?" in text_of(restored(alice, record, ""))
    assert names_reserved(staging, "flag.edit") is None


@pytest.mark.postgresql
def test_looking_at_what_would_wait__files_nothing(
    new_checkout: Flag, production: Environment, dana: User, erin: User, frank: User
) -> None:
    before = ask_for_something(new_checkout, dana)
    record = save(new_checkout, production, dana, enabled=True)
    save(new_checkout, production, dana, enabled=False)
    set_policy(production, **TWO_ROLES)
    for _look in range(3):
        assert "Ask for approval" in opened(dana, record)
    restored(dana, record, configuration(new_checkout, production).version)
    # PostgreSQL gives no number back that was taken: people would look for those between.
    assert ChangeRequest.objects.latest("pk").pk == before.pk + 1


def test_restore__in_a_freeze__offers_to_go_on_to_who_may(
    new_checkout: Flag, shop: Project, staging: Environment, dana: User, alice: User
) -> None:
    record = save(new_checkout, staging, dana, enabled=True)
    save(new_checkout, staging, dana, enabled=False)
    a_freeze(shop, environments=["staging"], **around_now())
    page = opened(alice, record)
    assert 'name="override_freeze"' in page
    version = configuration(new_checkout, staging).version
    restored(alice, record, version, override_freeze="1", reason="INC-8")
    assert configuration(new_checkout, staging).enabled


def shown_version(person: User, record: int) -> str:
    """What stands there now, as the page names it."""
    found = re.search(r'name="version" value="([^"]+)"', opened(person, record))
    assert found
    return found[1]


def test_restore__what_has_no_versions_was_changed_since_it_was_shown__conflicts(
    shop: Project, staging: Environment, alice: User
) -> None:
    by = Intent(acting(alice))
    role = create_role(project=shop, key="qa-two", name="QA", permissions=["flag.view"], intent=by)
    record = last_record()
    edit_role(role=role, name="QA two", permissions=["flag.view"], intent=by)
    seen = shown_version(alice, record)
    edit_role(role=role, name="QA three", permissions=["flag.view", "audit.view"], intent=by)
    for version in (seen, ""):
        assert restored(alice, record, version).status_code == 409
    role.refresh_from_db()
    assert (role.name, role.permissions) == ("QA three", ["audit.view", "flag.view"])


def test_restore__role_and_reservation__as_well(
    shop: Project, staging: Environment, alice: User
) -> None:
    by = Intent(acting(alice))
    role = create_role(project=shop, key="qa-two", name="QA", permissions=["flag.view"], intent=by)
    record = last_record()
    edit_role(role=role, name="QA two", permissions=["flag.view", "audit.view"], intent=by)
    assert restored(alice, record, shown_version(alice, record)).status_code == 204
    role.refresh_from_db()
    assert (role.name, role.permissions) == ("QA", ["flag.view"])

    reserve(environment=staging, permission="flag.edit", names=["developer"], intent=by)
    record = last_record()
    reserve(environment=staging, permission="flag.edit", names=None, intent=by)
    assert restored(alice, record, shown_version(alice, record)).status_code == 204
    assert names_reserved(staging, "flag.edit") == ["developer"]
