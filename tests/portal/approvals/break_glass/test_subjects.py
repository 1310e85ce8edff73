"""Whatever glass can be broken for goes back to what was agreed to, in any order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from flags import services as flags
from flags.models import ExclusionGroup, Flag, Segment
from flags.services.key_lists import KeyChange, Mode
from portal.access.models import Project, User
from portal.approvals.models import Emergency
from tests.flags.services.writes import RULE, Desk
from tests.support.glass import GLASS, REASON, break_glass, end, end_all
from tests.support.people import acting, give_role


@dataclass(frozen=True)
class Subject:
    """One kind of thing: how to change it in the given way, and what it is."""

    change: Callable[[Desk, User, int], object]
    document: Callable[[Desk], Any]


def _edit_definition(desk: Desk, person: User, n: int) -> None:
    variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
    variants += [{"key": f"v{one}", "value": True} for one in range(n)]
    flag = Flag.objects.get(pk=desk.flag.pk)
    flags.edit_flag(
        flag=flag,
        document=flag.document | {"variants": variants, "client_visible": n % 2 == 0},
        expected_version=flag.version,
        actor=acting(person),
        now=desk.now,
        reason=REASON,
        terms=GLASS,
    )


def _edit_segment(desk: Desk, person: User, n: int) -> None:
    segment = Segment.objects.get()
    country = {"attribute": "country", "operator": "in", "values": [f"C{n}"]}
    flags.edit_segment(
        segment=segment,
        document=segment.about | {"when": country},
        expected_version=segment.version,
        actor=acting(person),
        now=desk.now,
        reason=REASON,
        terms=GLASS,
    )


def _change_keys(desk: Desk, person: User, n: int) -> None:
    flags.change_keys(
        segment=Segment.objects.get(),
        change=KeyChange("included", Mode.ADD, [f"user-{n}"]),
        actor=acting(person),
        now=desk.now,
        reason=REASON,
        terms=GLASS,
    )


def _edit_group(desk: Desk, person: User, n: int) -> None:
    group = ExclusionGroup.objects.get()
    flags.edit_group(
        group=group,
        document=group.document | {"holdout": float(n), "salt": f"salt-{n}"},
        expected_version=group.version,
        actor=acting(person),
        now=desk.now,
        reason=REASON,
        terms=GLASS,
    )


SUBJECTS = {
    "configuration": Subject(
        lambda desk, who, n: break_glass(desk, who, salt=f"salt-{n}", rules=[RULE][: n % 2]),
        lambda desk: desk.configuration.document,
    ),
    "definition": Subject(
        _edit_definition, lambda desk: Flag.objects.get(pk=desk.flag.pk).document
    ),
    "segment": Subject(_edit_segment, lambda _desk: Segment.objects.get().document),
    "keys of a segment": Subject(_change_keys, lambda _desk: Segment.objects.get().document),
    "exclusion group": Subject(_edit_group, lambda _desk: ExclusionGroup.objects.get().document),
}


@pytest.fixture
def cohorts(desk: Desk, shop: Project, alice: User) -> None:
    common: dict[str, Any] = {"project": shop, "actor": acting(alice), "now": desk.now}
    when = {"attribute": "country", "operator": "in", "values": ["DE"]}
    flags.create_segment(document={"key": "beta", "when": when}, **common)
    flags.create_group(document={"key": "line", "slots": [], "holdout": 0}, **common)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.usefixtures("cohorts")
def test_three_in_a_row__ended_in_any_order__leave_what_was_agreed_to(
    desk: Desk, grace: User, subject: str, order: tuple[int, ...]
) -> None:
    about = SUBJECTS[subject]
    agreed = about.document(desk)
    for n in (1, 2, 3):
        about.change(desk, grace, n)
        assert about.document(desk) != agreed
    made = list(Emergency.objects.order_by("pk"))
    assert len(made) == 3
    for index in order:
        end(made[index])
    assert about.document(desk) == agreed
    assert not Emergency.objects.filter(reverted_at=None, superseded_at=None).exists()


def test_archiving__is_taken_back_whatever_was_renamed_meanwhile(
    desk: Desk, grace: User, alice: User
) -> None:
    give_role(desk.flag.project, grace, "project_admin")
    flags.archive_flag(
        flag=desk.flag, actor=acting(grace), now=desk.now, reason=REASON, terms=GLASS
    )
    desk.edit(alice, name="Another name")
    end_all()
    flag = Flag.objects.get(pk=desk.flag.pk)
    assert (flag.is_archived, flag.name) == (False, "Another name")
