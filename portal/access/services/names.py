"""The one name space of roles and groups: policies name either."""

from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import Project
from portal.lib.errors import Invalid


def refuse_taken_name(project: Project, key: str) -> None:
    """Raise Invalid where a role or group of the project has this name already."""
    if key in authority.role_table(project) or project.groups.filter(key=key).exists():
        text = _("There is a role or group called {name} already; choose another name.")
        raise Invalid({"key": text.format(name=key)})
