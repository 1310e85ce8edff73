"""Where a change of what environments share is noticed, and where others have to agree to it."""

from typing import Any

import pytest

from flags.models import FlagConfiguration
from portal.access.models import Environment, User
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest
from tests.support.agreeing import waiting
from tests.support.bench import Bench
from tests.support.desk import RULE, Desk

IN_BETA = RULE | {"when": {"segment": "beta"}}


def test_a_segment__that_only_others_use__needs_no_approval(
    bench: Bench, desk: Desk, guarded: Environment, staging: Environment, dana: User
) -> None:
    segment = bench.segment()
    Desk(desk.flag, staging, desk.now).save(dana, rules=[IN_BETA])
    bench.edit(segment, dana, when={"all": []})
    assert not ChangeRequest.objects.exists()


@pytest.mark.parametrize("how", ["a request", "what is prepared", "an archived flag"])
def test_a_segment__that_what_is_still_to_happen_names__needs_approval(
    bench: Bench, desk: Desk, guarded: Environment, dana: User, how: str
) -> None:
    """Else the author of what was agreed to could change what it means before it happens."""
    segment = bench.segment()
    if how == "a request":
        with pytest.raises(Waiting):
            desk.save(dana, rules=[IN_BETA])
    elif how == "what is prepared":
        Desk(desk.create(dana, "brand-new"), guarded, desk.now).save(dana, rules=[IN_BETA])
    else:
        targeting = desk.configuration.targeting | {"rules": [IN_BETA]}
        FlagConfiguration.objects.filter(pk=desk.configuration.pk).update(targeting=targeting)
        desk.flag.archived_at = desk.now
        desk.flag.save()
    with pytest.raises(Waiting) as error:
        bench.edit(segment, dana, when={"all": []})
    request = waiting(error)
    assert [place.key for place in request.environments.all()] == ["production"]


CHANGES: dict[str, tuple[dict[str, Any], bool]] = {
    "names and tags": ({"name": "N", "tags": ["t"], "owner": "dana"}, False),
    "a variant more": (
        {"variants": [{"key": k, "value": k == "on"} for k in ("on", "off", "spare")]},
        False,
    ),
    "a value": ({"variants": [{"key": k, "value": True} for k in ("on", "off")]}, True),
    "what answers call it": (
        {
            "variants": [
                {"key": k, "value": k == "on", "served_as": f"x-{k}"} for k in ("on", "off")
            ]
        },
        True,
    ),
    "metadata of answers": ({"metadata": {"team": "search"}}, True),
    "who may see it": ({"client_visible": True}, True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_edit__needs_approval_where_answers_change(
    desk: Desk, guarded: Environment, dana: User, change: str
) -> None:
    fields, is_noticed = CHANGES[change]
    if is_noticed:
        with pytest.raises(Waiting):
            desk.edit(dana, **fields)
    else:
        assert desk.edit(dana, **fields).version == 2


def test_an_edit_or_archiving__of_what_is_not_introduced_there__needs_no_approval(
    desk: Desk, guarded: Environment, dana: User
) -> None:
    new = Desk(desk.create(dana, "brand-new"), guarded, desk.now)
    new.edit(dana, client_visible=True)
    new.archive(dana)
    new.restore(dana)
    assert not ChangeRequest.objects.exists()
