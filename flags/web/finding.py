"""What a page is about: 404 where the project has none of that key."""

from django.http import Http404

from flags import cohorts, selectors
from flags.models import ExclusionGroup, Flag, Segment
from portal.access.web.scope import Scope


def find_flag(scope: Scope, key: str) -> Flag:
    """The flag with its configurations. Raises Http404."""
    try:
        return selectors.get_flag(scope.project, key)
    except Flag.DoesNotExist:
        raise Http404(key) from None


def find_segment(scope: Scope, key: str) -> Segment:
    """Raises Http404."""
    try:
        return cohorts.get_segment(scope.project, key)
    except Segment.DoesNotExist:
        raise Http404(key) from None


def find_group(scope: Scope, key: str) -> ExclusionGroup:
    """Raises Http404."""
    try:
        return cohorts.get_group(scope.project, key)
    except ExclusionGroup.DoesNotExist:
        raise Http404(key) from None
