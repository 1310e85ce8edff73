"""The one name space of roles and groups: policies name either."""

from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import ActionRule, Project
from portal.access.permissions import Permission
from portal.access.signals import name_removing
from portal.lib.errors import Invalid


def refuse_taken_name(project: Project, key: str) -> None:
    """Raise Invalid where a role or group of the project has this name already."""
    if key in authority.role_table(project) or project.groups.filter(key=key).exists():
        text = _("There is a role or group called {name} already; choose another name.")
        raise Invalid({"key": text.format(name=key)})


def refuse_needed_name(project: Project, key: str) -> None:
    """Raise Invalid while an environment reserves something for this role or group.

    Whoever else needs the name says so too: see signals.name_removing.
    """
    rules = ActionRule.objects.filter(environment__project=project).select_related("environment")
    rule = next((one for one in rules if key in one.roles), None)
    if rule:
        text = _(
            "“{permission}” is reserved for {name} in {environment}; "
            "change that on the access page first."
        )
        label = Permission(rule.permission).label
        where = rule.environment.name
        raise Invalid({"": text.format(permission=label, name=key, environment=where)})
    name_removing.send(sender=None, project=project, name=key)
