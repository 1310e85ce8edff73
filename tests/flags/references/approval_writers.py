"""Calls of the services of approvals and access, and of what people arrange."""

from collections.abc import Callable
from random import Random
from typing import Any

from flags.preferences import services as preferences
from portal.access import services as access
from portal.access.models import CustomRole, Group
from portal.approvals import services as approvals
from portal.approvals.freezes import services as freeze_services
from portal.approvals.models import ChangeRequest, Emergency, State
from portal.approvals.policies import services as policy_services
from portal.approvals.services import restoring
from portal.approvals.services.restoring import restoration_of
from portal.audit.models import AuditEvent
from portal.lib import subjects
from portal.lib.journal import Actor, Intent
from tests.flags.references.flag_writers import Writer, some_place, wanting
from tests.flags.references.world import World


def some_request(dice: Random) -> ChangeRequest:
    """Mostly the newest, so that some get all the votes that they need."""
    found = list(ChangeRequest.objects.filter(state=State.OPEN).order_by("pk"))
    return found[-1] if found and dice.random() < 0.8 else dice.choice(found)


def cast_vote(world: World, dice: Random, actor: Actor) -> object:
    request = some_request(dice)
    return approvals.cast_vote(
        request=request,
        verdict="approve",
        seen_digest=request.digest,
        comment="because",
        intent=wanting(world, actor),
    )


def on_request(write: Callable[..., object], **more: Any) -> Writer:
    def run(world: World, dice: Random, actor: Actor) -> object:
        return write(request=some_request(dice), **more, intent=wanting(world, actor))

    return run


def renew_request(world: World, dice: Random, actor: Actor) -> object:
    request = some_request(dice)
    return approvals.renew_request(
        request=request, seen_digest=request.digest, intent=wanting(world, actor)
    )


def on_emergency(write: Callable[..., object], **more: Any) -> Writer:
    def run(world: World, dice: Random, actor: Actor) -> object:
        emergency = dice.choice(list(Emergency.objects.all()))
        return write(emergency=emergency, **more, intent=wanting(world, actor))

    return run


def restore(world: World, dice: Random, actor: Actor) -> object:
    """Any record that says what something was."""
    records = AuditEvent.objects.filter(project=world.project.key)
    record = dice.choice([one for one in records if subjects.restored(one)])
    found = restoration_of(world.project, record)
    seen = found.current.version
    restoring.restore(found, seen_version=seen, intent=wanting(world, actor))
    return None


def preflight(world: World, dice: Random, actor: Actor) -> object:
    """What it says it would do is taken back."""
    records = AuditEvent.objects.filter(project=world.project.key)
    record = dice.choice([one for one in records if subjects.restored(one)])
    found = restoration_of(world.project, record)
    return restoring.preflight_restore(found, intent=wanting(world, actor))


def set_policy(world: World, dice: Random, actor: Actor) -> object:
    place = some_place(world, dice)
    policy = getattr(place, "policy", None)
    return policy_services.set_policy(
        environment=place,
        document=dice.choice([None, {"required_approvals": 1}, {"required_approvals": 3}]),
        expected_version=policy.version if policy else 0,
        intent=wanting(world, actor),
    )


def create_freeze(world: World, dice: Random, actor: Actor) -> object:
    document = {
        "name": "New year",
        "environments": ["production"],
        "starts": "2099-12-31T16:00",
        "ends": "2100-01-02T08:00",
        "zone": "UTC",
    }
    return freeze_services.create_freeze(
        project=world.project, document=document, intent=wanting(world, actor)
    )


def withdraw_vote(world: World, dice: Random, actor: Actor) -> object:
    return approvals.withdraw_vote(request=some_request(dice), intent=Intent(actor))


def clock_of(write: Callable[..., object]) -> Writer:
    return lambda _world, _dice, _actor: write()


def grant_role(world: World, dice: Random, actor: Actor) -> object:
    return access.grant_role(
        project=world.project,
        to=world.people[dice.choice(["bob", "dana"])],
        role=dice.choice(["viewer", "qa", "developer"]),
        environment=dice.choice([None, world.production]),
        intent=wanting(world, actor),
    )


def create_or_edit_role(world: World, dice: Random, actor: Actor) -> object:
    permissions = dice.sample(["flag.view", "flag.edit", "change_request.approve"], 2)
    roles = list(CustomRole.objects.filter(project=world.project))
    if roles:
        return approvals.edit_role(
            role=roles[0], name="T", permissions=permissions, intent=Intent(actor)
        )
    return access.create_role(
        project=world.project, key="tester", name="T", permissions=permissions, intent=Intent(actor)
    )


def reserve(world: World, dice: Random, actor: Actor) -> object:
    return approvals.reserve(
        environment=world.production,
        permission=dice.choice(["change_request.approve", "flag.toggle"]),
        names=dice.choice([["qa"], ["developer", "senior_developer"], None]),
        intent=wanting(world, actor),
    )


def create_environment(world: World, dice: Random, actor: Actor) -> object:
    key = f"e-{dice.randrange(10**6)}"
    return access.create_environment(
        project=world.project, key=key, kind="staging", intent=wanting(world, actor)
    )


def save_view(world: World, dice: Random, actor: Actor) -> object:
    return preferences.save_view(
        project=world.project,
        user=world.people["dana"],
        intent=Intent(actor),
        view=None,
        name=f"v{dice.randrange(10**6)}",
        query="",
        shared=True,
        default=False,
    )


def create_group_or_join(world: World, dice: Random, actor: Actor) -> object:
    found = Group.objects.filter(project=world.project).first()
    if found is None:
        return access.create_group(
            project=world.project, key="crew", name="", intent=wanting(world, actor)
        )
    user = world.people[dice.choice(["bob", "dana"])]
    return access.add_to_group(group=found, user=user, intent=Intent(actor))
