"""Calls of the services of flags, each with something that it could be called with."""

from collections.abc import Callable
from random import Random
from typing import Any

from flags.core import bulk, configurations, copying, definitions
from flags.core.copying import Taking
from flags.exclusion_groups import services as group_services
from flags.models import ExclusionGroup, Segment
from flags.schedules import create, runner
from flags.schedules.models import Plan
from flags.segments import selectors as segment_selectors, services as segment_services
from flags.segments.key_lists import KeyChange, Mode
from flags.transfer.importers import plan_import
from flags.transfer.importing import service
from portal.lib.journal import PLAIN, Actor, Intent, WriteOptions
from tests.flags.references.world import IN_BETA, World
from tests.support.desk import RULE
from tests.support.people import boolean_flag
from tests.support.planning import SHARED_RULE, STEPS, TARGET, let_it_be_due

Writer = Callable[[World, Random, Actor], object]


def some_place(world: World, dice: Random) -> Any:
    return world.place(dice.choice(["production", "production", "development", "staging"]))


def some_terms(dice: Random) -> WriteOptions:
    """Mostly none; a forged agreement is looked up, and glass is for those who may break it."""
    forged = (
        WriteOptions(agreement=dice.randrange(1, 5)),
        WriteOptions(undoing=dice.randrange(1, 3)),
    )
    return dice.choice([PLAIN] * 12 + [*forged, WriteOptions(break_glass=True)])


def wanting(world: World, actor: Actor, dice: Random | None = None) -> Intent:
    """Under terms of their own where there are dice to choose them."""
    options = some_terms(dice) if dice else PLAIN
    return Intent(actor, "because", options, at=world.now)


def some_configuration(world: World, dice: Random, key: str, place: Any) -> dict[str, Any]:
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


def save_configuration(world: World, dice: Random, actor: Actor) -> object:
    key, place = dice.choice(world.flags), some_place(world, dice)
    return configurations.save_configuration(
        flag=world.flag(key),
        environment=place,
        document=some_configuration(world, dice, key, place),
        expected_version=world.row(key, place).version,
        intent=wanting(world, actor, dice),
    )


def set_enabled(world: World, dice: Random, actor: Actor) -> object:
    return configurations.set_enabled(
        flag=world.flag(dice.choice(world.flags)),
        environment=some_place(world, dice),
        enabled=dice.random() < 0.6,
        introduce=dice.random() < 0.5,
        intent=wanting(world, actor, dice),
    )


def copy_configuration(world: World, dice: Random, actor: Actor) -> object:
    key, source, target = dice.choice(world.flags), some_place(world, dice), some_place(world, dice)
    return copying.copy_configuration(
        flag=world.flag(key),
        source=source,
        target=target,
        source_version=world.row(key, source).version,
        expected_version=world.row(key, target).version,
        taking=Taking(state=dice.random() < 0.5, salt=dice.random() < 0.5),
        intent=wanting(world, actor, dice),
    )


def clone_flag(world: World, dice: Random, actor: Actor) -> object:
    return copying.clone_flag(
        flag=world.flag(dice.choice(world.flags)),
        key=f"clone-{dice.randrange(10**6)}",
        name="",
        environments=[world.place(key) for key in ("production", "development")],
        intent=wanting(world, actor),
    )


def create_flag(world: World, dice: Random, actor: Actor) -> object:
    document = boolean_flag(dice.choice(["nowhere", f"new-{dice.randrange(10**6)}"]))
    return definitions.create_flag(
        project=world.project, document=document, intent=wanting(world, actor)
    )


def edit_flag(world: World, dice: Random, actor: Actor) -> object:
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
    return definitions.edit_flag(
        flag=flag,
        document=flag.document | change,
        expected_version=flag.version,
        intent=wanting(world, actor, dice),
    )


def archiving(write: Callable[..., object]) -> Writer:
    def run(world: World, dice: Random, actor: Actor) -> object:
        key = dice.choice(["old", *world.flags])
        return write(flag=world.flag(key), intent=wanting(world, actor, dice))

    return run


def some_file(world: World, dice: Random, place: Any) -> dict[str, Any]:
    """Flags there are and new ones, one of them perhaps with what it does here; a segment."""
    known = dice.choice(world.flags)
    keys = [known, f"imported-{dice.randrange(10**6)}"]
    flags = [{k: v for k, v in boolean_flag(key).items() if k != "name"} for key in keys]
    flags[0] = dict(world.flag(known).document)
    if dice.random() < 0.7:
        flags[0]["environments"] = {place.key: some_configuration(world, dice, known, place)}
    elif dice.random() < 0.7:
        flags[0]["metadata"] = {"team": dice.choice("ab")}
    segments = [{"key": dice.choice(["beta", "spare", "new"]), "when": {"all": []}}]
    return {"flags": flags, **({"segments": segments} if dice.random() < 0.3 else {})}


def import_document(world: World, dice: Random, actor: Actor) -> object:
    place = some_place(world, dice)
    return service.import_document(
        format_name="native",
        document=some_file(world, dice, place),
        environment=place,
        mode=dice.choice(["merge", "replace"]),
        dry_run=dice.random() < 0.1,
        intent=wanting(world, actor),
    )


def import_flags(world: World, dice: Random, actor: Actor) -> object:
    place = some_place(world, dice)
    return service.import_flags(
        environment=place,
        plan=plan_import("native", some_file(world, dice, place), environment=place.key),
        mode="merge",
        dry_run=False,
        intent=wanting(world, actor, dice),
    )


def some_segment(world: World, dice: Random) -> Segment:
    keys = Segment.objects.filter(project=world.project).values_list("key", flat=True)
    return segment_selectors.get_segment(world.project, dice.choice(["beta", *sorted(keys)]))


def edit_segment(world: World, dice: Random, actor: Actor) -> object:
    one = some_segment(world, dice)
    when = dice.choice([{"all": []}, {"any": []}, {"segment": "inner"}])
    return segment_services.edit_segment(
        segment=one,
        document=one.document | dice.choice([{"name": "N"}, {"when": when}]),
        expected_version=one.version,
        intent=wanting(world, actor, dice),
    )


def change_keys(world: World, dice: Random, actor: Actor) -> object:
    keys = KeyChange(dice.choice(["included", "excluded"]), dice.choice([*Mode]), ["erin"])
    return segment_services.change_keys(
        segment=some_segment(world, dice),
        change=keys,
        intent=wanting(world, actor, dice),
    )


def some_group(world: World, dice: Random) -> ExclusionGroup:
    keys = ExclusionGroup.objects.filter(project=world.project).values_list("key", flat=True)
    return world.project.exclusion_groups.get(key=dice.choice(["line", *sorted(keys)]))


def edit_group(world: World, dice: Random, actor: Actor) -> object:
    one = some_group(world, dice)
    changes: list[dict[str, Any]] = [
        {"salt": f"s{dice.randrange(99)}"},
        {"holdout": dice.randrange(1, 30)},
        {"name": "N"},
    ]
    return group_services.edit_group(
        group=one,
        document=one.document | dice.choice(changes),
        expected_version=one.version,
        intent=wanting(world, actor, dice),
    )


def create_cohort(write: Callable[..., object]) -> Writer:
    def run(world: World, dice: Random, actor: Actor) -> object:
        document = {"key": f"new-{dice.randrange(10**6)}"}
        return write(project=world.project, document=document, intent=wanting(world, actor))

    return run


def delete_segment(world: World, dice: Random, actor: Actor) -> object:
    return segment_services.delete_segment(
        segment=some_segment(world, dice), intent=wanting(world, actor)
    )


def delete_group(world: World, dice: Random, actor: Actor) -> object:
    return group_services.delete_group(group=some_group(world, dice), intent=wanting(world, actor))


def create_schedule(world: World, dice: Random, actor: Actor) -> object:
    key, place = dice.choice(world.flags), some_place(world, dice)
    operation = dice.choice(["turn_on", "turn_off", "replace"])
    wanted = {
        k: v for k, v in some_configuration(world, dice, key, place).items() if k != "introduced"
    }
    extra = {"configuration": wanted} if operation == "replace" else {}
    return create.create_schedule(
        flag=world.flag(key),
        environment=place,
        document={
            "operation": operation,
            "starts": "2099-12-31T16:00",
            "zone": "UTC",
            **extra,
        },
        intent=wanting(world, actor, dice),
    )


def create_ramp(world: World, dice: Random, actor: Actor) -> object:
    return create.create_ramp(
        flag=world.flag(dice.choice(["dark", *world.flags])),
        environment=some_place(world, dice),
        document={"target": TARGET, "steps": STEPS},
        intent=wanting(world, actor, dice),
    )


def steering(write: Callable[..., object]) -> Writer:
    def run(world: World, dice: Random, actor: Actor) -> object:
        plans = Plan.objects.select_related("flag__project", "environment__project")
        return write(plan=dice.choice(list(plans)), intent=wanting(world, actor))

    return run


def carry_out(world: World, dice: Random, _actor: Actor) -> object:
    for plan in Plan.objects.alive():
        let_it_be_due(plan)
    return runner.carry_out_due()


def change_flags(world: World, dice: Random, actor: Actor) -> object:
    job = bulk.Job(
        environment=some_place(world, dice), tags=("t",), owner="dana", intent=wanting(world, actor)
    )
    flags = [world.flag(key) for key in dice.sample(world.flags, 2)]
    return bulk.change_flags(flags=flags, action=dice.choice([*bulk.ACTIONS]), job=job)
