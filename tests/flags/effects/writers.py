"""Every service that writes, each called with something that it could be called with.

The tables are complete: a public function that takes an actor or an instant and stands in neither
fails the test. What it draws is sometimes refused, which is an answer as well.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from flags import cohorts, services
from flags.importers import plan_import
from flags.models import ExclusionGroup, Plan, Segment
from flags.services import arranging, bulk, importing, naming, sampling
from flags.services import plans as plan_services
from flags.services.copying import Taking
from flags.services.key_lists import KeyChange, Mode
from portal.access import services as access
from portal.access.models import CustomRole, Group
from portal.approvals import services as approvals
from portal.approvals.changes import PLAIN, Terms
from portal.approvals.models import ChangeRequest, Emergency, State
from portal.lib.journal import Actor
from tests.flags.effects.world import IN_BETA, World
from tests.flags.services.writes import RULE
from tests.support.people import boolean_flag
from tests.support.planning import SHARED_RULE, STEPS, TARGET, let_it_be_due

PACKAGES = ("flags.services", "portal.approvals.services", "portal.access.services")
Writer = Callable[[World, Random, Actor], object]


def found_writers() -> Iterator[str]:
    """``package.module.function`` of all that could write."""
    for package in PACKAGES:
        root = importlib.import_module(package)
        for module in pkgutil.walk_packages(root.__path__, f"{package}."):
            for name, one in vars(importlib.import_module(module.name)).items():
                if not name.startswith("_") and inspect.isfunction(one):
                    takes = inspect.signature(one).parameters.keys() & {"actor", "now", "job"}
                    if takes and one.__module__ == module.name:
                        yield f"{module.name}.{name}"


def _place(world: World, dice: Random) -> Any:
    return world.place(dice.choice(["production", "production", "development", "staging"]))


def _terms(dice: Random) -> Terms:
    """Mostly none; a forged agreement is looked up, and glass is for those who may break it."""
    forged = Terms(agreement=dice.randrange(1, 5)), Terms(undoing=dice.randrange(1, 3))
    return dice.choice([PLAIN] * 12 + [*forged, Terms(break_glass=True)])


def _common(world: World, actor: Actor) -> dict[str, Any]:
    return {"actor": actor, "now": world.now}


def _configuration(world: World, dice: Random, key: str, place: Any) -> dict[str, Any]:
    document = world.row(key, place).document
    on, off = [one["key"] for one in world.flag(key).variants][:2]
    change: dict[str, Any] = dice.choice(
        [
            {"enabled": not document["enabled"]},
            {"off_variant": on if document["off_variant"] == off else off},
            {"fallthrough": {"variant": dice.choice([on, off])}},
            {"rules": dice.choice([[], [RULE | {"serve": {"variant": off}}], [IN_BETA]])},
            {"rules": [SHARED_RULE], "enabled": True},
            {"prerequisites": [{"flag": dice.choice(["fresh", "banner"]), "variants": ["off"]}]},
            {"introduced": True},
        ]
    )
    return {**document, **change}


def _save(world: World, dice: Random, actor: Actor) -> object:
    key, place = dice.choice(world.flags), _place(world, dice)
    return services.save_configuration(
        flag=world.flag(key),
        environment=place,
        document=_configuration(world, dice, key, place),
        expected_version=world.row(key, place).version,
        reason="because",
        terms=_terms(dice),
        **_common(world, actor),
    )


def _switch(world: World, dice: Random, actor: Actor) -> object:
    return services.set_enabled(
        flag=world.flag(dice.choice(world.flags)),
        environment=_place(world, dice),
        enabled=dice.random() < 0.6,
        introduce=dice.random() < 0.5,
        reason="because",
        terms=_terms(dice),
        **_common(world, actor),
    )


def _copy(world: World, dice: Random, actor: Actor) -> object:
    key, source, target = dice.choice(world.flags), _place(world, dice), _place(world, dice)
    return services.copy_configuration(
        flag=world.flag(key),
        source=source,
        target=target,
        source_version=world.row(key, source).version,
        expected_version=world.row(key, target).version,
        taking=Taking(state=dice.random() < 0.5, salt=dice.random() < 0.5),
        terms=_terms(dice),
        **_common(world, actor),
    )


def _clone(world: World, dice: Random, actor: Actor) -> object:
    return services.clone_flag(
        flag=world.flag(dice.choice(world.flags)),
        key=f"clone-{dice.randrange(10**6)}",
        name="",
        environments=[world.place(key) for key in ("production", "development")],
        **_common(world, actor),
    )


def _create(world: World, dice: Random, actor: Actor) -> object:
    document = boolean_flag(dice.choice(["nowhere", f"new-{dice.randrange(10**6)}"]))
    return services.create_flag(project=world.project, document=document, **_common(world, actor))


def _edit(world: World, dice: Random, actor: Actor) -> object:
    flag = world.flag(dice.choice(["cart", "theme", *world.flags]))
    first, *others = flag.variants
    spare = {"key": "more", "value": first["value"]}
    change: dict[str, Any] = dice.choice(
        [
            {"name": "Other", "tags": ["t"]},
            {"client_visible": not flag.client_visible},
            {"metadata": {"team": dice.choice(["a", "b"])}},
            {"variants": [first | {"value": others[0]["value"]}, *others]},
            {"variants": [first | {"served_as": "shown"}, *others]},
            {"variants": [*flag.variants, spare]},
            {"variants": flag.variants[:-1] or flag.variants},
        ]
    )
    return services.edit_flag(
        flag=flag,
        document=flag.document | change,
        expected_version=flag.version,
        terms=_terms(dice),
        **_common(world, actor),
    )


def _archiving(write: Callable[..., object]) -> Writer:
    def run(world: World, dice: Random, actor: Actor) -> object:
        key = dice.choice(["old", *world.flags])
        return write(flag=world.flag(key), terms=_terms(dice), **_common(world, actor))

    return run


def _file(world: World, dice: Random, place: Any) -> dict[str, Any]:
    """Flags there are and new ones, one of them perhaps with what it does here; a segment."""
    known = dice.choice(world.flags)
    keys = [known, f"imported-{dice.randrange(10**6)}"]
    flags = [{k: v for k, v in boolean_flag(key).items() if k != "name"} for key in keys]
    flags[0] = dict(world.flag(known).document)
    if dice.random() < 0.7:
        flags[0]["environments"] = {place.key: _configuration(world, dice, known, place)}
    elif dice.random() < 0.7:
        flags[0]["metadata"] = {"team": dice.choice("ab")}
    segments = [{"key": dice.choice(["beta", "spare", "new"]), "when": {"all": []}}]
    return {"flags": flags, **({"segments": segments} if dice.random() < 0.3 else {})}


def _import_document(world: World, dice: Random, actor: Actor) -> object:
    place = _place(world, dice)
    return importing.import_document(
        format_name="native",
        document=_file(world, dice, place),
        environment=place,
        mode=dice.choice(["merge", "replace"]),
        dry_run=dice.random() < 0.1,
        **_common(world, actor),
    )


def _import_flags(world: World, dice: Random, actor: Actor) -> object:
    place = _place(world, dice)
    return importing.import_flags(
        environment=place,
        plan=plan_import("native", _file(world, dice, place), environment=place.key),
        mode="merge",
        dry_run=False,
        terms=_terms(dice),
        **_common(world, actor),
    )


def _segment(world: World, dice: Random) -> Segment:
    keys = Segment.objects.filter(project=world.project).values_list("key", flat=True)
    return cohorts.get_segment(world.project, dice.choice(["beta", *sorted(keys)]))


def _edit_segment(world: World, dice: Random, actor: Actor) -> object:
    one = _segment(world, dice)
    when = dice.choice([{"all": []}, {"any": []}, {"segment": "inner"}])
    return services.edit_segment(
        segment=one,
        document=one.document | dice.choice([{"name": "N"}, {"when": when}]),
        expected_version=one.version,
        terms=_terms(dice),
        **_common(world, actor),
    )


def _change_keys(world: World, dice: Random, actor: Actor) -> object:
    keys = KeyChange(dice.choice(["included", "excluded"]), dice.choice([*Mode]), ["erin"])
    return services.change_keys(
        segment=_segment(world, dice), change=keys, terms=_terms(dice), **_common(world, actor)
    )


def _group(world: World, dice: Random) -> ExclusionGroup:
    keys = ExclusionGroup.objects.filter(project=world.project).values_list("key", flat=True)
    return cohorts.get_group(world.project, dice.choice(["line", *sorted(keys)]))


def _edit_group(world: World, dice: Random, actor: Actor) -> object:
    one = _group(world, dice)
    changes: list[dict[str, Any]] = [
        {"salt": f"s{dice.randrange(99)}"},
        {"holdout": dice.randrange(1, 30)},
        {"name": "N"},
    ]
    return services.edit_group(
        group=one,
        document=one.document | dice.choice(changes),
        expected_version=one.version,
        terms=_terms(dice),
        **_common(world, actor),
    )


def _create_cohort(write: Callable[..., object]) -> Writer:
    def run(world: World, dice: Random, actor: Actor) -> object:
        document = {"key": f"new-{dice.randrange(10**6)}"}
        return write(project=world.project, document=document, **_common(world, actor))

    return run


def _delete_segment(world: World, dice: Random, actor: Actor) -> object:
    return services.delete_segment(segment=_segment(world, dice), **_common(world, actor))


def _delete_group(world: World, dice: Random, actor: Actor) -> object:
    return services.delete_group(group=_group(world, dice), **_common(world, actor))


def _schedule(world: World, dice: Random, actor: Actor) -> object:
    key, place = dice.choice(world.flags), _place(world, dice)
    operation = dice.choice(["turn_on", "turn_off", "replace"])
    wanted = {k: v for k, v in _configuration(world, dice, key, place).items() if k != "introduced"}
    extra = {"configuration": wanted} if operation == "replace" else {}
    return services.create_schedule(
        flag=world.flag(key),
        environment=place,
        document={
            "operation": operation,
            "starts": "2099-12-31T16:00",
            "zone": "UTC",
            **extra,
        },
        terms=_terms(dice),
        **_common(world, actor),
    )


def _ramp(world: World, dice: Random, actor: Actor) -> object:
    return services.create_ramp(
        flag=world.flag(dice.choice(["dark", *world.flags])),
        environment=_place(world, dice),
        document={"target": TARGET, "steps": STEPS},
        terms=_terms(dice),
        **_common(world, actor),
    )


def _steering(write: Callable[..., object]) -> Writer:
    def run(world: World, dice: Random, actor: Actor) -> object:
        plans = Plan.objects.select_related("flag__project", "environment__project")
        return write(plan=dice.choice(list(plans)), **_common(world, actor))

    return run


def _carry_out(world: World, dice: Random, _actor: Actor) -> object:
    for plan in Plan.objects.alive():
        let_it_be_due(plan)
    return plan_services.carry_out_due(now=world.now)


def _many(world: World, dice: Random, actor: Actor) -> object:
    job = bulk.Job(
        environment=_place(world, dice), tags=("t",), owner="dana", **_common(world, actor)
    )
    flags = [world.flag(key) for key in dice.sample(world.flags, 2)]
    return services.change_flags(flags=flags, action=dice.choice([*bulk.ACTIONS]), job=job)


def _request(dice: Random) -> ChangeRequest:
    return dice.choice(list(ChangeRequest.objects.filter(state=State.OPEN)))


def _vote(world: World, dice: Random, actor: Actor) -> object:
    request = _request(dice)
    return approvals.cast_vote(
        request=request,
        verdict="approve",
        seen_digest=request.digest,
        comment="because",
        **_common(world, actor),
    )


def _on_request(write: Callable[..., object], **more: Any) -> Writer:
    def run(world: World, dice: Random, actor: Actor) -> object:
        return write(request=_request(dice), **more, **_common(world, actor))

    return run


def _renew(world: World, dice: Random, actor: Actor) -> object:
    request = _request(dice)
    return approvals.renew_request(
        request=request, seen_digest=request.digest, **_common(world, actor)
    )


def _on_emergency(write: Callable[..., object], **more: Any) -> Writer:
    def run(world: World, dice: Random, actor: Actor) -> object:
        emergency = dice.choice(list(Emergency.objects.all()))
        return write(emergency=emergency, **more, **_common(world, actor))

    return run


def _policy(world: World, dice: Random, actor: Actor) -> object:
    place = _place(world, dice)
    policy = getattr(place, "policy", None)
    return approvals.set_policy(
        environment=place,
        document=dice.choice([None, {"required_approvals": 1}, {"required_approvals": 3}]),
        expected_version=policy.version if policy else 0,
        **_common(world, actor),
    )


def _freeze(world: World, dice: Random, actor: Actor) -> object:
    document = {
        "name": "New year",
        "environments": ["production"],
        "starts": "2099-12-31T16:00",
        "ends": "2100-01-02T08:00",
        "zone": "UTC",
    }
    return approvals.create_freeze(
        project=world.project, document=document, **_common(world, actor)
    )


def _withdraw_vote(world: World, dice: Random, actor: Actor) -> object:
    return approvals.withdraw_vote(request=_request(dice), actor=actor)


def _clock_of(write: Callable[..., object]) -> Writer:
    return lambda world, _dice, _actor: write(now=world.now)


def _grant(world: World, dice: Random, actor: Actor) -> object:
    return access.grant_role(
        project=world.project,
        to=world.people[dice.choice(["bob", "dana"])],
        role=dice.choice(["viewer", "qa", "developer"]),
        environment=dice.choice([None, world.production]),
        **_common(world, actor),
    )


def _role(world: World, dice: Random, actor: Actor) -> object:
    permissions = dice.sample(["flag.view", "flag.edit", "change_request.approve"], 2)
    roles = list(CustomRole.objects.filter(project=world.project))
    if roles:
        return access.edit_role(role=roles[0], name="T", permissions=permissions, actor=actor)
    return access.create_role(
        project=world.project, key="tester", name="T", permissions=permissions, actor=actor
    )


def _reserve(world: World, dice: Random, actor: Actor) -> object:
    return access.reserve(
        environment=world.production,
        permission=dice.choice(["change_request.approve", "flag.toggle"]),
        names=dice.choice([["qa"], ["developer", "senior_developer"], None]),
        **_common(world, actor),
    )


def _environment(world: World, dice: Random, actor: Actor) -> object:
    key = f"e-{dice.randrange(10**6)}"
    return access.create_environment(
        project=world.project, key=key, kind="staging", **_common(world, actor)
    )


def _arrange(world: World, dice: Random, actor: Actor) -> object:
    return arranging.save_view(
        project=world.project,
        user=world.people["dana"],
        actor=actor,
        view=None,
        name=f"v{dice.randrange(10**6)}",
        query="",
        shared=True,
        default=False,
    )


def _crew(world: World, dice: Random, actor: Actor) -> object:
    found = Group.objects.filter(project=world.project).first()
    if found is None:
        return access.create_group(
            project=world.project, key="crew", name="", **_common(world, actor)
        )
    user = world.people[dice.choice(["bob", "dana"])]
    return access.add_to_group(group=found, user=user, actor=actor)


_F, _A, _X = PACKAGES
WRITERS: dict[str, Writer] = {
    f"{_F}.configurations.save_configuration": _save,
    f"{_F}.configurations.set_enabled": _switch,
    f"{_F}.copying.copy_configuration": _copy,
    f"{_F}.copying.clone_flag": _clone,
    f"{_F}.definitions.create_flag": _create,
    f"{_F}.definitions.edit_flag": _edit,
    f"{_F}.definitions.archive_flag": _archiving(services.archive_flag),
    f"{_F}.definitions.restore_flag": _archiving(services.restore_flag),
    f"{_F}.importing.service.import_document": _import_document,
    f"{_F}.importing.service.import_flags": _import_flags,
    f"{_F}.segments.create_segment": _create_cohort(services.create_segment),
    f"{_F}.segments.edit_segment": _edit_segment,
    f"{_F}.segments.change_keys": _change_keys,
    f"{_F}.segments.delete_segment": _delete_segment,
    f"{_F}.groups.create_group": _create_cohort(services.create_group),
    f"{_F}.groups.edit_group": _edit_group,
    f"{_F}.groups.delete_group": _delete_group,
    f"{_F}.plans.making.create_schedule": _schedule,
    f"{_F}.plans.making.create_ramp": _ramp,
    f"{_F}.plans.steering.pause_plan": _steering(services.pause_plan),
    f"{_F}.plans.steering.resume_plan": _steering(services.resume_plan),
    f"{_F}.plans.steering.cancel_plan": _steering(services.cancel_plan),
    f"{_F}.plans.carrying.carry_out_due": _carry_out,
    f"{_F}.bulk.change_flags": _many,
    f"{_F}.arranging.save_view": _arrange,
    f"{_F}.naming.set_naming_rule": lambda world, _dice, actor: naming.set_naming_rule(
        project=world.project, pattern="[a-z-]+", example="a", hint="", actor=actor
    ),
    f"{_F}.sampling.set_sampling": lambda world, dice, actor: sampling.set_sampling(
        project=world.project, sampled=dice.random() < 0.5, **_common(world, actor)
    ),
    f"{_F}.unknown.ignore_unknown_flag": lambda world, _dice, actor: services.ignore_unknown_flag(
        environment=world.production, name="nowhere", ignored=True, **_common(world, actor)
    ),
    f"{_A}.votes.cast_vote": _vote,
    f"{_A}.votes.withdraw_vote": _withdraw_vote,
    f"{_A}.applying.apply_request": _on_request(approvals.apply_request),
    f"{_A}.renewing.renew_request": _renew,
    f"{_A}.requests.withdraw_request": _on_request(approvals.withdraw_request),
    f"{_A}.requests.comment_on_request": _on_request(approvals.comment_on_request, text="Why?"),
    f"{_A}.emergencies.confirm_emergency": _on_emergency(approvals.confirm_emergency),
    f"{_A}.emergencies.revert_emergency": _on_emergency(approvals.revert_emergency),
    f"{_A}.emergencies.review_emergency": _on_emergency(approvals.review_emergency, text="Fine."),
    f"{_A}.emergencies.revert_due": _clock_of(approvals.revert_due),
    f"{_A}.policies.set_policy": _policy,
    f"{_A}.freezes.create_freeze": _freeze,
    f"{_X}.grants.grant_role": _grant,
    f"{_X}.roles.create_role": _role,
    f"{_X}.roles.edit_role": _role,
    f"{_X}.roles.reserve": _reserve,
    f"{_X}.projects.create_environment": _environment,
    f"{_X}.groups.create_group": _crew,
    f"{_X}.groups.add_to_group": _crew,
}

# Parts of those above, which they call once they have asked.
PARTS = {
    _F: "definitions.add_configuration groups.store_group importing.storing.record "
    "importing.storing.store importing.storing.store_cohorts key_lists.store "
    "plans.making.answer_for plans.shared.record_plan plans.steering.rest "
    "recording.advance_all recording.advance_everywhere recording.record_cohort "
    "recording.record_flag segments.fill_segment segments.store_segment",
    _A: "requests.close_request requests.require_person applying.apply_as_asked "
    "holding.hold_request",
    _X: "grants.remove_grants grants.store_grant groups.remove_from_groups "
    "handing.refuse_admin_keys handing.require_may_give handing.require_may_permit "
    "roles.store_role roles.store_rule",
}
# What follows from another write: a new environment; a role or a rule that is changed.
FOLLOWING = {
    _F: "definitions.on_environment_created",
    _A: "rights.on_role_changing rights.on_rule_changing",
}
# What evaluators hear nothing of: counts, samples and letters; evidence and freezes, which only
# hold up; files of policies, which come through set_policy; people, keys, sign-in and projects.
UNHEARD = {
    _F: "counting.forget_old_usage counting.take_batches reminding.remind_owners "
    "sampling.forget_old_samples sampling.take_samples",
    _A: "evidence.post_evidence freezes.cancel_freeze freezes.edit_freeze holding.apply_waiting "
    "loading.load_policies reminding.remind",
    _X: "grants.revoke_grant grants.set_role groups.delete_group groups.edit_group "
    "groups.remove_from_group invitations.accept_invitation invitations.create_invitation "
    "invitations.join_by_invitation invitations.open_invitation invitations.revoke_invitation "
    "key_use.note_use key_use.note_uses keys.edit_key keys.issue_key keys.revoke_key "
    "members.add_member members.remove_member people.change_password people.create_user "
    "people.record_sign_in people.record_sign_out projects.create_project "
    "projects.edit_environment projects.edit_project roles.delete_role",
}
NOT_DRIVEN = {
    f"{package}.{name}"
    for table in (PARTS, FOLLOWING, UNHEARD)
    for package, names in table.items()
    for name in names.split()
}
