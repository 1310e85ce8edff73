from flags.models import ExclusionGroup
from portal.access.models import Project


def get_group(project: Project, key: str) -> ExclusionGroup:
    return project.exclusion_groups.get(key=key)
