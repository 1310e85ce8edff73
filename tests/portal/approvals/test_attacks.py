"""How approvals elsewhere were got around; here each attempt is refused and changes nothing."""

from collections.abc import Callable
from datetime import datetime

import pytest

from flags.core import configurations, definitions
from portal.access import services as access
from portal.access.models import Environment, Project, User
from portal.approvals import services, services as approvals
from portal.approvals.errors import Barred, Closed, NoSuchRequest, NotApproved, Waiting
from portal.approvals.models import ChangeRequest, Emergency, Vote
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import Intent, WriteOptions
from tests.portal.approvals.racing import apply, with_glass
from tests.support.agreeing import set_policy, vote, waiting
from tests.support.desk import RULE, Desk
from tests.support.people import (
    SETTING_UP,
    acting,
    boolean_flag,
    create_person,
    give_role,
)
from tests.support.rows import everything_kept


def save(desk: Desk, person: User, *, options: WriteOptions, **changes: object) -> object:
    current = desk.configuration
    return configurations.save_configuration(
        flag=desk.flag,
        environment=desk.environment,
        document=current.document | changes,
        expected_version=current.version,
        intent=Intent(acting(person), options=options, at=desk.now),
    )


# Edit after approval (CVE-2023-4812 and the like)


def test_edit_after_approval__voids_every_vote_whoever_edits(
    desk: Desk, agreed: ChangeRequest, alice: User
) -> None:
    with pytest.raises(Waiting):
        save(desk, alice, options=WriteOptions(revise=agreed.pk), enabled=True, rules=[RULE])
    assert not Vote.objects.exists()
    with pytest.raises(NotApproved):
        apply(agreed, alice)
    assert not desk.configuration.enabled


def test_edit_after_approval__with_another_kind_or_subject__is_refused(
    desk: Desk, agreed: ChangeRequest, dana: User, staging: Environment
) -> None:
    set_policy(staging, required_approvals=1)
    other = Desk(desk.create(dana, "other"), desk.environment, desk.now)
    elsewhere = Desk(desk.flag, staging, desk.now)
    options = WriteOptions(revise=agreed.pk)
    before = everything_kept()
    attempts: list[Callable[[], object]] = [
        lambda: save(other, dana, options=options, enabled=True),
        lambda: save(elsewhere, dana, options=options, enabled=True),
        lambda: definitions.archive_flag(
            flag=desk.flag, intent=Intent(acting(dana), options=options, at=desk.now)
        ),
    ]
    for attempt in attempts:
        with pytest.raises(Invalid, match="cannot change its subject"):
            attempt()
    assert everything_kept() == before


def test_edit_of_another_projects_request__finds_none(
    desk: Desk, agreed: ChangeRequest, garden: Project, charlie: User, now: datetime
) -> None:
    flag = definitions.create_flag(
        project=garden, document=boolean_flag(), intent=Intent(acting(charlie), at=now)
    )
    place = garden.environments.get(key="production")
    set_policy(place, required_approvals=1)
    own = Desk(flag, place, now)
    before = everything_kept()
    for options in (
        WriteOptions(revise=agreed.pk),
        WriteOptions(agreement=agreed.pk),
        WriteOptions(revise=10**9),
    ):
        with pytest.raises(NoSuchRequest):
            save(own, charlie, options=options, enabled=True)
    assert everything_kept() == before


def test_edit_that_leaves_a_rejected_request__cannot_bring_back_an_applied_one(
    desk: Desk, agreed: ChangeRequest, dana: User
) -> None:
    apply(agreed, dana)
    with pytest.raises(Closed):
        save(desk, dana, options=WriteOptions(revise=agreed.pk), rules=[RULE])


# Self-approval


def test_self_approval__under_a_second_role_or_through_a_group__is_barred(
    desk: Desk, shop: Project, dana: User, guarded: Environment
) -> None:
    with pytest.raises(Waiting) as error:
        desk.switch(dana, True)
    group = access.create_group(
        project=shop, key="leads", name="Leads", intent=Intent(SETTING_UP, at=desk.now)
    )
    access.add_to_group(group=group, user=dana, intent=Intent(SETTING_UP))
    give_role(shop, group, "devops_lead")
    give_role(shop, dana, "senior_developer", guarded)
    with pytest.raises(Barred):
        vote(waiting(error), dana)


def test_self_approval__by_a_site_administrator__is_barred(desk: Desk) -> None:
    root = create_person("root")
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    with pytest.raises(Waiting) as error:
        desk.switch(root, True)
    with pytest.raises(Barred):
        vote(waiting(error), root)


def test_a_vote_that_was_cast_before_editing__counts_no_more(
    desk: Desk, agreed: ChangeRequest, erin: User, frank: User
) -> None:
    """Erin approved, then edits back and forth: what she had a hand in she cannot agree to."""
    with pytest.raises(Waiting):
        save(desk, erin, options=WriteOptions(revise=agreed.pk), enabled=True, rules=[RULE])
    with pytest.raises(Waiting):
        save(desk, erin, options=WriteOptions(revise=agreed.pk), enabled=True)
    vote(agreed, frank)
    with pytest.raises(Barred):
        vote(agreed, erin)
    with pytest.raises(NotApproved):
        apply(agreed, frank)


def test_who_may_not_apply__does_not_by_asking_for_it_to_be_applied(
    desk: Desk, dana: User, erin: User, frank: User, guarded: Environment, alice: User
) -> None:
    approvals.reserve(
        environment=guarded,
        permission="change_request.apply",
        names=["project_admin"],
        intent=Intent(SETTING_UP, at=desk.now),
    )
    with pytest.raises(Waiting) as error:
        desk.switch(dana, True)
    request = waiting(error)
    vote(request, erin)
    assert "apply approved changes" in vote(request, frank).problem
    assert not desk.configuration.enabled
    assert apply(request, alice).state == "applied"


# Forged and replayed options


@pytest.mark.parametrize("state", ["applied", "withdrawn", "rejected"])
def test_an_agreement_that_is_decided__opens_nothing(
    desk: Desk, agreed: ChangeRequest, dana: User, state: str
) -> None:
    ChangeRequest.objects.filter(pk=agreed.pk).update(state=state)
    with pytest.raises(Closed):
        save(desk, dana, options=WriteOptions(agreement=agreed.pk), enabled=True)
    assert not desk.configuration.enabled


def test_an_agreement__is_about_one_subject_one_kind_and_one_content(
    desk: Desk, agreed: ChangeRequest, dana: User
) -> None:
    other = Desk(desk.create(dana, "other"), desk.environment, desk.now)
    options = WriteOptions(agreement=agreed.pk)
    attempts: list[Callable[[], object]] = [
        lambda: save(other, dana, options=options, enabled=True),
        lambda: save(desk, dana, options=options, enabled=True, rules=[RULE]),
        lambda: definitions.archive_flag(
            flag=desk.flag, intent=Intent(acting(dana), options=options, at=desk.now)
        ),
    ]
    before = everything_kept()
    for attempt in attempts:
        with pytest.raises(Conflict):
            attempt()
    assert everything_kept() == before


def test_an_agreement__used_twice__is_applied_once(
    desk: Desk, agreed: ChangeRequest, dana: User
) -> None:
    apply(agreed, dana)
    desk.switch(dana, False)
    with pytest.raises(Closed):
        apply(agreed, dana)
    with pytest.raises(Closed):
        save(desk, dana, options=WriteOptions(agreement=agreed.pk), enabled=True)
    assert not desk.configuration.enabled


@pytest.fixture
def emergency(desk: Desk, erin: User, guarded: Environment) -> Emergency:
    with_glass(guarded)
    desk.switch(erin, True, break_glass=True, reason="Orders fail")
    return Emergency.objects.get()


def test_undoing__of_another_environments_emergency__opens_nothing(
    desk: Desk, emergency: Emergency, staging: Environment, dana: User
) -> None:
    """The two configurations are alike to the letter; the place is not the same."""
    set_policy(staging, required_approvals=1, turning_off_needs_approval=True)
    elsewhere = Desk(desk.flag, staging, desk.now)
    row = elsewhere.configuration
    row.enabled, row.targeting = True, desk.configuration.targeting
    row.save()
    with pytest.raises(Invalid, match="does not revert"):
        save(elsewhere, dana, options=WriteOptions(undoing=emergency.pk), enabled=False)
    assert elsewhere.configuration.enabled


def test_undoing__of_a_finished_or_unknown_one__opens_nothing(
    desk: Desk, emergency: Emergency, erin: User
) -> None:
    services.revert_emergency(emergency=emergency, intent=Intent(acting(erin), at=desk.now))
    for pk in (emergency.pk, 10**9):
        with pytest.raises(Invalid, match="does not revert"):
            save(desk, erin, options=WriteOptions(undoing=pk), rules=[RULE])


def test_undoing__to_something_else_than_before__opens_nothing(
    desk: Desk, emergency: Emergency, erin: User
) -> None:
    with pytest.raises(Invalid, match="does not revert"):
        save(desk, erin, options=WriteOptions(undoing=emergency.pk), enabled=False, rules=[RULE])


# What looks the same to Python and not to applications


def test_true_instead_of_1__is_a_change_that_applications_notice(
    desk: Desk, dana: User, guarded: Environment
) -> None:
    banner = boolean_flag("banner") | {
        "value_type": "object",
        "variants": [{"key": "on", "value": {"show": 1}}, {"key": "off", "value": {"show": 0}}],
    }
    flag = definitions.create_flag(
        project=guarded.project, document=banner, intent=Intent(acting(dana), at=desk.now)
    )
    flag.configurations.update(introduced=True)  # as if it had been there before the policy
    variants = [{"key": "on", "value": {"show": True}}, {"key": "off", "value": {"show": 0}}]
    with pytest.raises(Waiting):
        definitions.edit_flag(
            flag=flag,
            document=banner | {"variants": variants, "name": "Another name"},
            expected_version=flag.version,
            intent=Intent(acting(dana), at=desk.now),
        )
    flag.refresh_from_db()
    assert flag.variants[0]["value"]["show"] is not True
