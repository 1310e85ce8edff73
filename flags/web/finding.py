"""A flag for a page: 404 where the project has none of that key."""

from django.http import Http404

from flags import selectors
from flags.models import Flag
from portal.access.web.scope import Scope


def find_flag(scope: Scope, key: str) -> Flag:
    """The flag with its configurations. Raises Http404."""
    try:
        return selectors.get_flag(scope.project, key)
    except Flag.DoesNotExist:
        raise Http404(key) from None
