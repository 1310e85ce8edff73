"""Who gets what of the form as it stands: for everyone, and for a sample user, while one types."""

from dataclasses import replace
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from flags import selectors
from flags.engine import Configuration, FlagDefinition
from flags.engine.document import EnvironmentFlag
from flags.engine.explaining import explain
from flags.models import FlagConfiguration
from flags.scenery import scenery_of
from flags.services.parsing import configuration_from
from flags.web.audience import bars, distribution
from flags.web.explaining import in_words
from flags.web.finding import find_flag
from flags.web.rows import Cell
from flags.web.targeting import documents
from flags.web.targeting.form import FIELDS as TARGETING_FIELDS
from flags.web.targeting.sample import FIELDS, Sample, attributes_in, context_of, read_sample
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.web.forms import read_form

NOBODY = Sample("", {}, "")


@require_POST
@project_page(Permission.FLAG_VIEW)
def try_sample(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    """What the form beside it would serve to the sample user; nothing is saved, nothing logged."""
    flag = find_flag(scope, key)
    configuration = selectors.get_configuration(flag, scope.environment(environment))
    sample = read_sample(read_form(request.POST.items(), FIELDS))
    context: dict[str, object] = {
        "scope": scope,
        "flag": flag,
        "cell": Cell(flag, configuration),
        "live": True,
    }
    try:
        wanted = _wanted(request, configuration)
    except Invalid as error:
        return render(request, "flags/_tried.html", context | {"form_problems": error.problems})
    context |= outlook_context(configuration, wanted, flag.definition, sample, clock.now())
    names = [one.name for one in context["sample_fields"]]  # type: ignore[attr-defined]
    context["other_fields"] = list(sample.values) != names
    return render(request, "flags/_tried.html", context)


def _wanted(request: HttpRequest, configuration: FlagConfiguration) -> Configuration:
    """What the form says. Who may only look sends none, and sees what is saved."""
    if "off_variant" not in request.POST:
        return configuration.configuration
    form = read_form(request.POST.items(), TARGETING_FIELDS)
    document = documents.to_document(form, enabled=configuration.enabled)
    return configuration_from(document, configuration.flag.definition)


def outlook_context(
    configuration: FlagConfiguration,
    wanted: Configuration,
    definition: FlagDefinition,
    sample: Sample,
    now: datetime,
) -> dict[str, object]:
    """Who gets what of a configuration that need not be saved; a flag that is off is asked as
    though it were on."""
    turned_on = replace(wanted, enabled=True)
    world, segments = scenery_of(configuration.environment, now, wanted)
    names = attributes_in(wanted, segments)
    context: dict[str, object] = {
        "bars": bars(wanted, definition),
        "distribution": distribution(turned_on, definition),
        "is_off": not wanted.enabled,
        "off_variant": wanted.off_variant,
        "sample": sample,
        "sample_fields": sample.fields(names),
    }
    try:
        attributes = context_of(sample, names)
    except Invalid as error:
        return context | {"sample_problem": error.problems["sample.json"]}
    flag = EnvironmentFlag(definition, turned_on, configuration.version)
    return context | {"explained": in_words(explain(flag, attributes, world, segments))}
