"""Reading exclusion groups."""

from flags.models import ExclusionGroup
from portal.access.models import Project


def get_group(project: Project, key: str) -> ExclusionGroup:
    """An exclusion group of a project. Raises ExclusionGroup.DoesNotExist."""
    return project.exclusion_groups.get(key=key)
