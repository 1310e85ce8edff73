"""How a project names its flags."""

import pytest

from flags.models import Flag, NamingRule
from flags.services import importing
from flags.services.naming import rule_of, set_naming_rule
from portal.access.models import Project, User
from portal.audit.models import AuditEvent
from portal.lib.errors import Forbidden, Invalid
from tests.flags.services.writes import Desk
from tests.support.people import acting, boolean_flag

RULE = {"pattern": "[a-z]+/[a-z-]+", "example": "checkout/new-cart", "hint": "Team, then name."}


def set_rule(project: Project, person: User, **changes: str) -> NamingRule | None:
    return set_naming_rule(project=project, actor=acting(person), **(RULE | changes))


def test_a_new_key_that_does_not_fit__is_told_what_does(desk: Desk, alice: User) -> None:
    set_rule(desk.flag.project, alice)
    with pytest.raises(Invalid) as error:
        desk.create(alice, "nonsense")
    told = "Keys of this project look like “checkout/new-cart”. Team, then name."
    assert error.value.problems == {"key": told}
    assert desk.create(alice, "cart/fits")
    desk.edit(alice, name="What exists stays")


def test_an_import__skips_what_does_not_fit_and_says_why(desk: Desk, alice: User) -> None:
    set_rule(desk.flag.project, alice)
    report = importing.import_document(
        format_name="native",
        document=[boolean_flag("nonsense"), boolean_flag("a/b"), boolean_flag(desk.flag.key)],
        environment=desk.environment,
        mode="merge",
        dry_run=False,
        actor=acting(alice),
        now=desk.now,
    )
    assert report.created == ["a/b"]
    (skipped,) = report.skipped
    assert skipped.flag == "nonsense"
    assert "checkout/new-cart" in skipped.reason
    assert not Flag.objects.filter(key="nonsense").exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"pattern": "(?=x)"}, "pattern"),
        ({"pattern": "("}, "pattern"),
        ({"example": "Nope"}, "example"),
        ({"example": ""}, "example"),
        ({"hint": "x" * 301}, "hint"),
    ],
)
def test_a_rule_that_cannot_be__is_refused(
    shop: Project, alice: User, changes: dict[str, str], field: str
) -> None:
    with pytest.raises(Invalid) as error:
        set_rule(shop, alice, **changes)
    assert error.value.problems.keys() == {field}
    assert rule_of(shop) is None


def test_a_rule__leaves_one_audit_row_and_can_be_taken_back(shop: Project, alice: User) -> None:
    for changes in ({}, {}, {"pattern": ""}):
        set_rule(shop, alice, **changes)
    rows = AuditEvent.objects.filter(event="project.naming_rule_changed")
    assert rows.count() == 2
    assert rule_of(shop) is None


def test_a_rule__dana_may_not_set_one(shop: Project, dana: User) -> None:
    with pytest.raises(Forbidden):
        set_rule(shop, dana)
