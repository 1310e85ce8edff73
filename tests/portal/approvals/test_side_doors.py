"""Every way into the flags of a guarded environment: through the gate, or nothing changes.

The list below is complete: a service that nobody has put into it fails the first test.
"""

import inspect
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from flags.core import bulk, configurations, copying, definitions
from flags.exclusion_groups import services as group_services
from flags.models import ExclusionGroup, FlagConfiguration, Segment
from flags.schedules import commands, create
from flags.schedules.models import Plan
from flags.segments import services as segment_services
from flags.transfer.importing import service
from flags.usage import counting
from portal.access.models import Environment, User
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, State
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.support.agreeing import set_policy, vote
from tests.support.bench import Bench
from tests.support.desk import RULE, Desk
from tests.support.people import acting, boolean_flag, client_of
from tests.support.planning import SHARED_RULE, a_ramp, a_schedule
from tests.support.script import FLAGS, PRODUCTION, Script, issue, problem, serve_only_in

KEY = "new-checkout"
OTHER_VARIANTS = [{"key": "on", "value": False}, {"key": "off", "value": True}]
Attempt = Callable[[Desk, User], object]


def _common(desk: Desk, person: User) -> dict[str, Any]:
    return {"flag": desk.flag, "intent": Intent(acting(person), at=desk.now)}


def _document() -> dict[str, object]:
    configuration = {
        "enabled": True,
        "off_variant": "off",
        "fallthrough": {"variant": "on"},
        "salt": "s",
    }
    return {"flags": [boolean_flag(KEY) | {"environments": {"production": configuration}}]}


def _import(desk: Desk, person: User) -> object:
    return service.import_document(
        format_name="native",
        document=_document(),
        environment=desk.environment,
        mode="merge",
        dry_run=False,
        intent=Intent(acting(person), at=desk.now),
    )


def _import_plan(desk: Desk, person: User) -> object:
    from flags.transfer.importers import plan_import

    return service.import_flags(
        environment=desk.environment,
        plan=plan_import("native", _document(), environment="production"),
        mode="replace",
        dry_run=False,
        intent=Intent(acting(person), at=desk.now),
    )


DOORS: dict[str, Attempt] = {
    "save_configuration": lambda desk, person: desk.save(person, rules=[RULE], enabled=True),
    "set_enabled": lambda desk, person: desk.switch(person, True),
    "edit_flag": lambda desk, person: desk.edit(person, variants=OTHER_VARIANTS),
    "archive_flag": lambda desk, person: desk.archive(person),
    "restore_flag": lambda desk, person: _restore(desk, person),
    "create_schedule": lambda desk, person: a_schedule(desk, person),
    "create_ramp": lambda desk, person: a_ramp(desk, person),
    "resume_plan": lambda desk, person: _resume(desk, person),
    "copy_configuration": lambda desk, person: _copy(desk, person),
    "import_document": _import,
    "import_flags": _import_plan,
    "edit_segment": lambda desk, person: _bench(desk).edit(
        _segment(desk), person, when={"all": []}
    ),
    "change_keys": lambda desk, person: _bench(desk).keys(_segment(desk), person, "alice"),
    "edit_group": lambda desk, person: _bench(desk).edit_group(_group(desk), person, holdout=5),
}
# A new flag is not introduced there, and neither is a clone. Names that no flag has are served
# nothing, and nothing names a new segment or exclusion group, or one that may be deleted; see
# test_reach for those that something still to happen names. Stopping a plan turns nothing on. What
# is done to many flags is done to each through its own door. See test_copying and test_bulk.
SERVICES = (
    bulk,
    commands,
    configurations,
    copying,
    counting,
    create,
    definitions,
    group_services,
    segment_services,
    service,
)
NOT_GUARDED = {
    "create_flag",
    "create_segment",
    "create_group",
    "delete_segment",
    "delete_group",
    "clone_flag",
    "change_flags",
    "ignore_unknown_flag",
    "pause_plan",
    "cancel_plan",
}


def use_cohorts(desk: Desk) -> None:
    """Rules that ask for the segment and the group, as if they had been there before the policy."""
    rows = FlagConfiguration.objects.filter(flag=desk.flag, environment=desk.environment)
    rules = [RULE | {"when": {"segment": "beta"}}]
    rules += [RULE | {"id": "r-2", "audience": {"percent": 50, "group": "checkout"}}]
    rows.update(targeting=desk.configuration.targeting | {"rules": rules})


def _share_a_rule(desk: Desk) -> None:
    """What a ramp needs, as if it had been there before the policy."""
    configuration = desk.configuration
    configuration.targeting["rules"] = [SHARED_RULE]
    configuration.enabled = True
    configuration.save()


def _resume(desk: Desk, person: User) -> object:
    """What was planned and paused before the policy came."""
    elsewhere = desk.flag.project.environments.get(key="development")
    plan = a_schedule(replace(desk, environment=elsewhere), person)
    common: dict[str, Any] = {"plan": plan, "intent": Intent(acting(person), at=desk.now)}
    commands.pause_plan(**common)
    Plan.objects.filter(pk=plan.pk).update(environment=desk.environment)
    plan.refresh_from_db()
    return commands.resume_plan(**common)


def _copy(desk: Desk, person: User) -> object:
    staging = desk.flag.project.environments.get(key="staging")
    there = FlagConfiguration.objects.get(flag=desk.flag, environment=staging)
    there.targeting = {**there.targeting, "rules": [RULE]}
    there.save()
    return copying.copy_configuration(
        **_common(desk, person),
        source=staging,
        target=desk.environment,
        source_version=there.version,
        expected_version=desk.configuration.version,
    )


def _bench(desk: Desk) -> Bench:
    return Bench(desk)


def _segment(desk: Desk) -> Segment:
    return Segment.objects.get(project=desk.flag.project)


def _group(desk: Desk) -> ExclusionGroup:
    return ExclusionGroup.objects.get(project=desk.flag.project)


def _restore(desk: Desk, person: User) -> object:
    desk.flag.archived_at = desk.now
    desk.flag.save()
    return definitions.restore_flag(**_common(desk, person))


def served(environment: Environment) -> dict[str, object]:
    """What evaluators get of an environment, flag by flag, without the versions."""
    rows = FlagConfiguration.objects.filter(
        environment=environment, flag__archived_at=None, introduced=True
    ).select_related("flag")
    cohorts: list[Segment | ExclusionGroup] = [
        *Segment.objects.filter(project=environment.project),
        *ExclusionGroup.objects.filter(project=environment.project),
    ]
    return {
        row.flag.key: {k: v for k, v in row.environment_document().items() if k != "version"}
        for row in rows
    } | {f"{one.pk} {type(one).__name__}": one.engine_document for one in cohorts}


def test_every_service_of_flags__is_behind_the_gate_or_has_a_reason() -> None:
    writes = {
        name
        for module in SERVICES
        for name, found in inspect.getmembers(module, inspect.isfunction)
        if found.__module__ == module.__name__ and _is_service(name, found)
    }
    assert writes == set(DOORS) | NOT_GUARDED


def _is_service(name: str, function: Callable[..., object]) -> bool:
    """Whoever calls it says who wants it, and it is no part of another, which stores or records."""
    wants = not {"intent", "job"}.isdisjoint(inspect.signature(function).parameters)
    return wants and not name.startswith(("_", "delete_unused", "record", "save_version", "store_"))


@pytest.mark.parametrize("door", DOORS)
def test_every_door__changes_nothing_before_others_agree_and_then_names_them(
    desk: Desk, guarded: Environment, dana: User, erin: User, frank: User, door: str
) -> None:
    Bench(desk).segment()
    Bench(desk).group(slots=[{"flag": KEY, "from": 0, "to": 50}])
    use_cohorts(desk)
    if door == "restore_flag":
        desk.flag.archived_at = desk.now
        desk.flag.save()
    if door == "create_ramp":
        _share_a_rule(desk)
    guarded.refresh_from_db()
    before, version = served(guarded), guarded.version
    with pytest.raises(Waiting):
        DOORS[door](desk, dana)
    assert served(guarded) == before
    guarded.refresh_from_db()
    assert guarded.version == version
    request = ChangeRequest.objects.get()
    assert request.state == State.OPEN
    vote(request, erin)
    voted = vote(request, frank)
    assert (voted.request.state, voted.problem) == (State.APPLIED, "")
    applied = AuditEvent.objects.get(event="change_request.applied")
    rows = AuditEvent.objects.filter(sequence__gte=applied.sequence)
    assert rows.count() > 1
    said = set(rows.values_list("change_request", "requested_by", "approved_by"))
    assert said == {(request.pk, "dana", "erin, frank")}


def test_a_new_flag__is_not_there_where_others_have_to_agree(
    desk: Desk, guarded: Environment, dana: User
) -> None:
    before = served(guarded)
    desk.create(dana, "brand-new", kind="release")
    assert served(guarded) == before


# Over HTTP, with an admin key


@pytest.fixture
def script(desk: Desk, guarded: Environment) -> Script:
    return Script(issue(guarded))


def waits(response: Any) -> ChangeRequest:
    """The answer says that it waits, and where; returns the request."""
    said = problem(response, 409)
    request = ChangeRequest.objects.get()
    assert said["change_request"] == {
        "id": request.pk,
        "address": f"http://127.0.0.1:8000/p/shop/changes/{request.pk}",
        "digest": request.digest,
    }
    assert str(request.pk) in said["detail"]
    return request


def test_put_configuration__waits(script: Script, desk: Desk) -> None:
    current = desk.configuration
    response = script.call(
        "PUT",
        f"{PRODUCTION}/flags/{KEY}",
        current.document | {"enabled": True},
        if_match=f'"{current.version}"',
    )
    request = waits(response)
    assert (request.kind, request.author_kind) == ("flag.configuration", "key")
    assert not desk.configuration.enabled


def test_patch_flag__waits(script: Script, desk: Desk) -> None:
    serve_only_in(desk.environment)
    assert waits(script.call("PATCH", f"{FLAGS}/{KEY}", {"variants": OTHER_VARIANTS})).serves


def test_delete_flag__waits(script: Script, desk: Desk) -> None:
    serve_only_in(desk.environment)
    assert waits(script.call("DELETE", f"{FLAGS}/{KEY}")).kind == "flag.archiving"
    desk.flag.refresh_from_db()
    assert not desk.flag.is_archived


def test_import_over_http__waits(script: Script, desk: Desk) -> None:
    assert waits(script.post(f"{PRODUCTION}/import?format=native", _document()))
    assert not desk.configuration.enabled


@pytest.mark.parametrize("name", ["agreement", "revise", "break_glass", "terms", "apply"])
def test_terms_in_a_body__are_no_fields(script: Script, desk: Desk, name: str) -> None:
    """Mass assignment: what only services may say cannot be sent."""
    current = desk.configuration
    response = script.call(
        "PUT",
        f"{PRODUCTION}/flags/{KEY}",
        current.document | {"enabled": True, name: 1},
        if_match=f'"{current.version}"',
    )
    assert name in problem(response, 400)["detail"]
    assert not ChangeRequest.objects.exists()


# The command


def importflags(tmp_path: Path, environment: str, document: object) -> str:
    """The one line that the command fails with."""
    file = tmp_path / "flags.json"
    file.write_text(json.dumps(document))
    options = {"format": "native", "project": "shop", "environment": environment}
    with pytest.raises(CommandError) as error:
        call_command(
            "importflags", str(file), **options, stdout=io.StringIO(), stderr=io.StringIO()
        )
    assert error.value.returncode == 1
    return str(error.value)


def test_importflags__waits_and_names_the_address(
    desk: Desk, guarded: Environment, tmp_path: Path
) -> None:
    line = importflags(tmp_path, "production", _document())
    request = ChangeRequest.objects.get()
    assert f"http://127.0.0.1:8000/p/shop/changes/{request.pk}" in line
    assert not desk.configuration.enabled


def test_importflags__into_a_new_environment__what_waits_is_really_there(
    desk: Desk, guarded: Environment, tmp_path: Path
) -> None:
    document = {"flags": [boolean_flag(KEY) | {"variants": OTHER_VARIANTS}]}
    line = importflags(tmp_path, "canary", document)
    request = ChangeRequest.objects.get()
    assert str(request.pk) in line
    assert set(request.environments.values_list("key", flat=True)) >= {"canary", "production"}


def test_a_policy_on_another_environment__guards_what_all_share(
    desk: Desk, staging: Environment, dana: User
) -> None:
    """Production has none; staging does, and the flag is in both."""
    set_policy(staging, required_approvals=1)
    with pytest.raises(Waiting):
        desk.archive(dana)
    assert ChangeRequest.objects.get().environments.filter(pk=staging.pk).exists()


def test_a_segment_approved__is_carried_out_with_the_keys_that_were_asked_for(
    desk: Desk, guarded: Environment, dana: User, erin: User, frank: User
) -> None:
    """The list outlives the refusal; undecided, it serves nobody."""
    segment = Bench(desk).segment()
    use_cohorts(desk)
    with pytest.raises(Waiting):
        Bench(desk).keys(segment, dana, "alice", "bob")
    request = ChangeRequest.objects.get()
    assert request.words == ["2 keys more are always in: “alice”, “bob”."]
    page = client_of(erin).get(f"/p/shop/changes/{request.pk}")
    assert page.status_code == 200
    vote(request, erin)
    vote(request, frank)
    assert Segment.objects.get().included.keys == ("alice", "bob")
