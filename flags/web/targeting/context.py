"""What the targeting page shows of a flag in one environment."""

from collections.abc import Mapping

from django.http import HttpRequest

from flags.engine import Configuration
from flags.models import FlagConfiguration
from flags.services.parsing import configuration_from
from flags.web import arriving
from flags.web.rows import Cell, FlagRow
from flags.web.snippets import snippets
from flags.web.targeting import documents
from flags.web.targeting.catalogue import catalogue_for
from flags.web.targeting.form import Form, write_base
from flags.web.targeting.nodes import Drawing
from flags.web.targeting.trying import NOBODY, outlook_context
from portal.access.web.scope import Scope
from portal.approvals import selectors as approvals
from portal.approvals.models import ChangeRequest
from portal.approvals.web.outlook import Revising, drift_of
from portal.lib import clock
from portal.lib.merging import Side


def page_context(
    scope: Scope,
    configuration: FlagConfiguration,
    asked: ChangeRequest | None = None,
    prefer: Side = Side.MINE,
) -> dict[str, object]:
    """The context of the page and of each of its parts.

    Where a request is edited, the form holds what it asks for on top of what is there now.
    """
    flag, environment = configuration.flag, configuration.environment
    drift = drift_of(asked, prefer) if asked else None
    document = drift.document if drift else configuration.document
    form = documents.to_form(document, flag.definition, with_switch=asked is not None)
    mark = arriving.read_marks([environment], [flag]).get((environment.pk, flag.key))
    return {
        "scope": scope,
        "flag": flag,
        "row": FlagRow(flag),
        "cell": Cell(flag, configuration, mark),
        "no_evaluator": arriving.no_evaluator([environment]),
        "tab": "targeting",
        "revise": Revising.of(asked),
        "drift": drift,
        "edited": asked is not None,
        "pending": approvals.open_requests(
            scope.project, subject_kind="flag", subject=flag.key, environment=environment
        ),
        "drawing": Drawing(form, {}, catalogue=catalogue_for(flag)),
        "base": write_base(configuration.document),
        "snippets": snippets(flag),
        **_outlook(configuration, configuration_from(document, flag.definition)),
    }


def _outlook(configuration: FlagConfiguration, wanted: Configuration) -> dict[str, object]:
    definition = configuration.flag.definition
    return outlook_context(configuration, wanted, definition, NOBODY, clock.now())


def form_context(
    request: HttpRequest,
    scope: Scope,
    configuration: FlagConfiguration,
    form: Form,
    *,
    errors: Mapping[str, str] | None = None,
    focus: str = "",
) -> dict[str, object]:
    """The context of the form alone, drawn anew with what was sent."""
    flag = configuration.flag
    return {
        "scope": scope,
        "flag": flag,
        "cell": Cell(flag, configuration),
        "drawing": Drawing(form, errors or {}, focus, catalogue_for(flag)),
        "base": request.POST.get("base", ""),
        "reshuffled": form.get("salt") != configuration.document["salt"],
        "revise": Revising.sent(request),
        "edited": True,
    }
