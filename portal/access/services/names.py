"""The one name space of roles and groups: policies name either."""

from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import ActionRule, Project
from portal.access.signals import name_removing
from portal.lib.errors import Invalid


def refuse_taken_name(project: Project, key: str) -> None:
    """Raise Invalid where a role or group of the project has this name already."""
    if key in authority.role_table(project) or project.groups.filter(key=key).exists():
        text = _("There is a role or group called {name} already; choose another name.")
        raise Invalid({"key": text.format(name=key)})


def refuse_needed_name(project: Project, key: str) -> None:
    """Raise Invalid where an environment reserves something for a role or group of this name.

    Those above access are asked as well: they may need the name for policies of theirs.
    """
    for rule in ActionRule.objects.filter(environment__project=project).select_related(
        "environment"
    ):
        if key in rule.roles:
            text = _("{environment} reserves {permission} for {name}; change that first.")
            where = rule.environment.name
            sentence = text.format(environment=where, permission=rule.permission, name=key)
            raise Invalid({"": sentence})
    name_removing.send(sender=None, project=project, name=key)
