from dataclasses import replace

from django.utils.translation import gettext as _, gettext_lazy

from flags.core import outcome_descriptions
from flags.core.merge_descriptions import GROUP as GROUP_PARTS, clash_sentences
from flags.engine import Named, parse_group
from flags.exclusion_groups import changes as group_changes, services as group_services
from flags.models import ExclusionGroup
from flags.segments.subject import deletion_handler, describe_changes, restore_by
from portal.approvals.handlers import (
    Merged,
    Outcome,
    Sides,
    Wanted,
)
from portal.approvals.models import ChangeRequest
from portal.lib import subjects
from portal.lib.subjects import Menu, Subject


def _edit_group(group: ExclusionGroup, wanted: Wanted) -> None:
    group_services.edit_group(
        group=group,
        document=wanted.document,
        expected_version=int(wanted.base_version),
        intent=wanted.intent,
    )


def _delete_group(group: ExclusionGroup, wanted: Wanted) -> None:
    group_services.delete_group(
        group=group, expected_version=int(wanted.base_version), intent=wanted.intent
    )


def _shares(_group: ExclusionGroup, request: ChangeRequest) -> list[Outcome]:
    sides = (
        outcome_descriptions.shares(parse_group(one)) for one in (request.before, request.after)
    )
    return [Outcome(_("Shares"), *sides)]


def _merge_groups(_group: ExclusionGroup, _request: ChangeRequest, sides: Sides) -> Merged:
    merged = sides.merged(GROUP_PARTS)
    return Merged(merged.document, clash_sentences(merged.clashes, {}))


_DELETION = deletion_handler(
    Named.GROUP,
    "exclusion-group",
    lambda project: project.exclusion_groups.all(),
    _delete_group,
)
EXCLUSION_GROUP = Subject(
    kind="exclusion_group",
    menu=Menu(
        30,
        gettext_lazy("Exclusion groups"),
        "arrows-split",
        "exclusion-group-list",
        "/exclusion-group",
    ),
    label=gettext_lazy("exclusion group"),
    events={
        "exclusion_group.created": gettext_lazy("created the exclusion group"),
        "exclusion_group.edited": gettext_lazy("edited the exclusion group"),
        "exclusion_group.reshuffled": gettext_lazy("re-bucketed all users of the exclusion group"),
        "exclusion_group.deleted": gettext_lazy("deleted the exclusion group"),
    },
    describe=describe_changes(group_changes.group_words),
    address=subjects.page_at("exclusion-group", "subject"),
    restore=restore_by(group_changes.GROUP),
    changes={
        group_changes.GROUP: replace(
            _DELETION,
            apply=_edit_group,
            words=lambda _one, *sides: group_changes.group_words(*sides),
            merge=_merge_groups,
            fit=lambda _one, states: group_services.first_possible(states),
            outcomes=_shares,
        ),
        group_changes.GROUP_DELETION: _DELETION,
    },
)
