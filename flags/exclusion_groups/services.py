"""Creating, editing and deleting exclusion groups. Users who have a share keep it."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from flags.core import naming
from flags.core.definitions import new_salt
from flags.core.parsing import group_from
from flags.engine import Group, Named, disturbances, dump_group, place_slot
from flags.exclusion_groups import changes as group_changes
from flags.models import ExclusionGroup, Flag
from flags.references.dependants import uses_of
from flags.references.effects import advance_all, let_through
from flags.references.referring import InUse
from flags.segments import changes
from flags.segments.services import delete_unused, save_version
from portal.access import authority, outbox
from portal.access.models import Project
from portal.access.permissions import Permission
from portal.approvals import gate
from portal.approvals.changes import same_document
from portal.approvals.services import gated
from portal.lib.errors import Invalid, refuse
from portal.lib.journal import Intent


@transaction.atomic
def create_group(*, project: Project, document: object, intent: Intent) -> ExclusionGroup:
    """Create an exclusion group; without a salt it gets a fresh one.

    No audience names it yet, so nobody is served otherwise by it. Raises Forbidden without
    ``segment.edit``; Invalid when the document is, or the key is taken.
    """
    authority.require(intent.actor, Permission.SEGMENT_EDIT, project=project)
    given = {"salt": new_salt(), **document} if isinstance(document, Mapping) else document
    wanted = group_from(given)
    environments = outbox.lock_project(project)
    if ExclusionGroup.objects.filter(project=project, key=wanted.key).exists():
        raise Invalid.of(
            "key", _("There is an exclusion group with this key already; choose another.")
        )
    naming.refuse_alike(ExclusionGroup.objects.filter(project=project), wanted.key)
    _refuse_unknown_flags(project, wanted, known=())
    group = ExclusionGroup(project=project, created_at=intent.at)
    group.set_group(wanted)
    advance_all(environments, Named.GROUP, group.key, now=intent.at)
    store_group(group, None, intent=intent)
    return group


@gated
def edit_group(
    *, group: ExclusionGroup, document: object, expected_version: int, intent: Intent
) -> ExclusionGroup:
    """Change the slots, the holdout or what the group is called; its key stays.

    Slots and holdout grow into free room only, so that users keep their place; with another salt
    or ``bucket_by`` all users are reshuffled, on purpose. Raises Forbidden, for a key also where
    evaluators beyond its environment ask for the group; Invalid when the
    document is, or somebody would lose their place; InUse when a flag would lose a part that its
    rules name; Conflict when the group is no longer at ``expected_version``; Waiting.
    """
    gate.require(intent, Permission.SEGMENT_EDIT, project=group.project)
    environments = outbox.lock_project(group.project)
    group = group.project.exclusion_groups.get(key=group.key)
    before, held = group.document, group.group
    given = {"salt": group.salt, **document} if isinstance(document, Mapping) else document
    wanted = group_from(given)
    if group.version != expected_version:
        raise changes.conflict(group, document)
    if intent.options.undoing is None:  # nobody builds on an emergency change so that it cannot end
        check_edit(group.project, held, wanted)
    group.set_group(wanted)
    if same_document(group.document, before):
        return group
    if changes.is_served_otherwise(before, group.document):
        change = partial(group_changes.group_change, group, before)
        intent = let_through(group, change, environments, intent)
    store_group(group, before, intent=intent)
    return group


def store_group(group: ExclusionGroup, before: Mapping[str, Any] | None, *, intent: Intent) -> None:
    """Save what was decided and tell the history; ``before`` is None for a new one.

    Checks, the gate and the environments' versions are the caller's.
    """
    save_version(group, before, intent)
    intent.record(_event(group, before), group, before=before, after=group.document)


def _event(group: ExclusionGroup, before: Mapping[str, Any] | None) -> str:
    if before is None:
        return "exclusion_group.created"
    same_line = before["salt"] == group.salt
    return "exclusion_group.edited" if same_line else "exclusion_group.reshuffled"


@gated
def delete_group(
    *, group: ExclusionGroup, intent: Intent, expected_version: int | None = None
) -> None:
    """Delete an exclusion group that no rule names.

    Raises Forbidden; InUse; Conflict when it is no longer at ``expected_version``; Waiting.
    """
    gate.require(intent, Permission.SEGMENT_EDIT, project=group.project)
    environments = outbox.lock_project(group.project)
    group = group.project.exclusion_groups.get(key=group.key)
    if expected_version not in (None, group.version):
        raise changes.conflict(group, {})
    text = _("This exclusion group is in use by {uses}. Remove it there first.")
    delete_unused(group, group_changes.GROUP_DELETION, text, environments, intent)


def with_slot(group: Group, flag: str, width: int) -> dict[str, object]:
    """The group's document with a slot of this width for a flag, in thousandths of a percent.

    A width of 0 takes it away. Raises Invalid where there is no room.
    """
    others = tuple(slot for slot in group.slots if slot.flag != flag)
    if not width:
        return dump_group(replace(group, slots=others))
    slot = place_slot(group, flag, width)
    if slot is None:
        raise Invalid.of(
            "percent",
            _("There is no unallocated traffic of this size: users would lose their place."),
        )
    slots = sorted([*others, slot], key=lambda one: one.start)
    return dump_group(replace(group, slots=tuple(slots)))


def reshuffled(group: ExclusionGroup) -> dict[str, Any]:
    return group.document | {"salt": new_salt()}


def check_edit(project: Project, held: Group, wanted: Group) -> None:
    if wanted.key != held.key:
        raise Invalid({"key": _("An exclusion group keeps its key.")})
    check_places(project, held, wanted)
    _refuse_unknown_flags(project, wanted, known=[slot.flag for slot in held.slots])


def first_possible(states: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The first of some documents in which no two slots overlap; the first of all where none is."""
    for state in states:
        with contextlib.suppress(Invalid):
            possible = ExclusionGroup()
            possible.set_group(group_from(state))
            return possible.document
    return states[0]


def check_places(project: Project, held: Group, wanted: Group) -> None:
    """The same, but for which flags there are: those of an import may come with it."""
    refuse({one.path: one.message for one in disturbances(held, wanted)})
    losing = {slot.flag for slot in held.slots} - {slot.flag for slot in wanted.slots}
    uses = uses_of(project, Named.GROUP, wanted.key) if losing else []
    naming = [use for use in uses if use.key in losing]
    if naming:
        text = _("A rule uses the share that would be removed, in {uses}. Remove it there first.")
        raise InUse("slots", text, naming)


def _refuse_unknown_flags(project: Project, group: Group, *, known: list[str] | tuple[()]) -> None:
    """An archived flag keeps the slot it has: it may come back. Raises Invalid."""
    flags = {*known, *Flag.objects.alive().filter(project=project).values_list("key", flat=True)}
    text = _("There is no flag “{key}” in use in this project.")
    refuse(
        {
            f"slots[{index}].flag": text.format(key=slot.flag)
            for index, slot in enumerate(group.slots)
            if slot.flag not in flags
        }
    )
