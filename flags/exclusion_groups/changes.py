"""The changes of exclusion groups as the gate wants to see them."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from flags.engine import DocumentError, parse_group
from flags.exclusion_groups import descriptions
from flags.models import ExclusionGroup
from flags.segments.changes import Document, change_of
from portal.access.models import Environment
from portal.approvals.changes import Change

GROUP = "exclusion_group.edit"
GROUP_DELETION = "exclusion_group.deletion"


def group_change(
    group: ExclusionGroup, before: Document, environments: Iterable[Environment]
) -> Change:
    text = _("Change exclusion group {name}, in every environment")
    after = group.document
    return change_of(GROUP, group, text, before, after, environments, group_words(before, after))


def group_words(before: Document, after: Document) -> list[str]:
    try:
        return descriptions.group_changes(parse_group(before), parse_group(after))
    except DocumentError:
        return [_("It is of another time; see the documents.")]
