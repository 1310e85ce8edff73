"""How a project names its flags."""

import pytest

from flags.core import copying
from flags.core.naming import rule_of, set_naming_rule
from flags.exclusion_groups import services as group_services
from flags.models import Flag, NamingRule
from flags.segments import services as segment_services
from flags.transfer.importing import service
from portal.access.models import Project, User
from portal.audit.models import AuditEvent
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent
from tests.support.desk import Desk
from tests.support.people import acting, boolean_flag

RULE = {"pattern": "[a-z]+/[a-z-]+", "example": "checkout/new-cart", "hint": "Team, then name."}


def set_rule(project: Project, person: User, **changes: str) -> NamingRule | None:
    return set_naming_rule(project=project, intent=Intent(acting(person)), **(RULE | changes))


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
    report = service.import_document(
        format_name="native",
        document=[boolean_flag("nonsense"), boolean_flag("a/b"), boolean_flag(desk.flag.key)],
        environment=desk.environment,
        mode="merge",
        dry_run=False,
        intent=Intent(acting(alice), at=desk.now),
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


def test_a_new_key_like_another_but_for_case_or_width__names_the_other(
    desk: Desk, alice: User
) -> None:
    project, now, actor = desk.flag.project, desk.now, acting(alice)
    segment = {"key": "Beta", "when": {"all": []}}
    segment_services.create_segment(project=project, document=segment, intent=Intent(actor, at=now))
    group_services.create_group(
        project=project, document={"key": "Menus"}, intent=Intent(actor, at=now)
    )

    def clone(key: str) -> object:
        return copying.clone_flag(
            flag=desk.flag, key=key, name="", environments=[], intent=Intent(actor, at=now)
        )

    def create_segment(key: str) -> object:
        document = segment | {"key": key}
        return segment_services.create_segment(
            project=project, document=document, intent=Intent(actor, at=now)
        )

    def create_group(key: str) -> object:
        return group_services.create_group(
            project=project, document={"key": key}, intent=Intent(actor, at=now)
        )

    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in desk.flag.key)
    for make, key, other in (
        (lambda key: desk.create(alice, key), desk.flag.key.upper(), desk.flag.key),
        (clone, wide, desk.flag.key),
        (create_segment, "beta", "Beta"),
        (create_group, "MENUS", "Menus"),
    ):
        with pytest.raises(Invalid) as error:
            make(key)
        told = f"“{key}” differs from “{other}” only in case or width. Choose another key."
        assert error.value.problems == {"key": told}


def test_an_import__takes_keys_that_differ_in_case_alone_and_says_so(
    desk: Desk, alice: User
) -> None:
    like = desk.flag.key.upper()
    report = service.import_document(
        format_name="native",
        document=[boolean_flag(like), boolean_flag("one"), boolean_flag("ONE")],
        environment=desk.environment,
        mode="merge",
        dry_run=False,
        intent=Intent(acting(alice), at=desk.now),
    )
    assert sorted(report.created) == sorted([like, "one", "ONE"])
    assert {note for note in report.notes if "differs" in note} == {
        f"“{like}” differs from “{desk.flag.key}” only in case or width; both are kept",
        "“one” differs from “ONE” only in case or width; both are kept",
    }
