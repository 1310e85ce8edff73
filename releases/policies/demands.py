from collections.abc import Iterator, Mapping

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal.access.models import Environment, Project
from releases.engine.plans import Plan, read_plan
from releases.engine.policies import Moved, Ruling, missing, only_warned_of, rule, uses
from releases.policies.models import PlanTemplate, ReleasePolicy

_ORIGIN = "policy:"
# The origin of a check of the plan that has the name of one that the service has, and differs.
INSTEAD = "plan_instead"


def origin_of(key: str) -> str:
    return f"{_ORIGIN}{key}"


def policy_in(origin: str) -> str:
    return origin.removeprefix(_ORIGIN) if origin.startswith(_ORIGIN) else ""


def policies_in(project: Project, environment: Environment) -> QuerySet[ReleasePolicy]:
    rows = ReleasePolicy.objects.filter(project=project).select_related("project")
    found = rows.values_list("pk", "environments")
    return rows.filter(pk__in=[pk for pk, named in found if not named or environment.key in named])


def ruling_on(project: Project, moved: Moved) -> Ruling:
    rows = ReleasePolicy.objects.filter(project=project)
    return rule([one.parsed for one in rows], moved)


def template_used(
    project: Project, key: str, plan: Plan, ruling: Ruling, origins: Mapping[str, str]
) -> str:
    """The key of a template, where a plan is what the template says now; else nothing. ``origins``
    say where its checks come from."""
    instead = [check for check, origin in origins.items() if origin == INSTEAD]
    found = PlanTemplate.objects.filter(project=project, key=key).first() if key else None
    is_used = found is not None and uses(plan, read_plan(found.plan), ruling, instead)
    return key if is_used else ""


def unmet(plan: Plan, template: str, ruling: Ruling, *, goes_back: bool) -> dict[str, str]:
    """What a plan owes its policies, a sentence for each field; ``template`` is the one that it
    uses. What undoes another release ``goes_back`` at once, whatever the templates."""
    found = {} if goes_back else dict(_other_templates(template, ruling))
    return found | dict(_unmet(plan, ruling))


def _other_templates(template: str, ruling: Ruling) -> Iterator[tuple[str, str]]:
    requiring = ruling.requiring
    if requiring is not None and template not in requiring.templates:
        text = _(
            "The release policy “{name}” wants a plan by one of these templates, with nothing "
            "changed but further checks: {keys}."
        )
        yield "template", text.format(name=requiring.name, keys=", ".join(requiring.templates))


def _unmet(plan: Plan, ruling: Ruling) -> Iterator[tuple[str, str]]:
    for check in missing(plan, ruling):
        text = _("The release policy “{name}” needs the check {key} as defined now.")
        winner = ruling.winners[check.key]
        yield f"plan.checks.{check.key}", text.format(name=winner.name, key=check.key)
    for trouble in only_warned_of(plan, ruling):
        text = _("The release policy “{name}” gives checks here, so choose more than a warning.")
        assert ruling.guarding is not None
        yield f"plan.on.{trouble}", text.format(name=ruling.guarding.name)
