"""A check before it is armed: what it would have said of the releases that are recorded."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.web.pages import Fields, read_form, render_page
from releases.catalogue import selectors
from releases.core import backtests, check_words, descriptions, quantities
from releases.core.backtests import Backtest, Backtested
from releases.core.models import State
from releases.engine.backtest import KINDS
from releases.engine.checks import read_check
from releases.web import check_form
from releases.web.labels import COLOURS
from releases.web.services import find_service

_PAGE = ("releases/backtest.html", "releases/_backtest.html")
_FIELDS: Fields = {"checks": [check_form.FIELDS]}


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_backtest(
    request: HttpRequest, scope: Scope, service: str, environment: str
) -> HttpResponse:
    """Of the check in the query, as the form of the setup has it, or of one that is stored there,
    by its ``key``."""
    found, place = find_service(scope, service), scope.environment(environment)
    setup = selectors.setup_of(found, place)
    stored = {one["key"]: one for one in setup.checks} if setup else {}
    document = _asked(request, stored)
    context: dict[str, Any] = {
        "scope": scope,
        "service": found,
        "environment": place,
        "stored": [
            (key, check_words.limit_words(read_check(one)), one["kind"] in KINDS)
            for key, one in stored.items()
        ],
    }
    if document is not None:
        try:
            context |= _shown(backtests.run(found, place, document, clock.now()))
        except Invalid as error:
            context["problems"] = list(error.problems.values())
    return render_page(request, *_PAGE, context)


def _asked(request: HttpRequest, stored: dict[str, Any]) -> dict[str, Any] | None:
    rows = read_form(request.GET.items(), _FIELDS).get("checks") or []
    if rows:
        return check_form.document_of(rows[0])
    return stored.get(request.GET.get("key", ""))


def _shown(found: Backtest) -> dict[str, Any]:
    return {
        "check": found.check,
        "limit": check_words.limit_words(found.check),
        "summary": found.summary,
        "says": _says(found),
        "rows": [
            (one, COLOURS.get(State(one.release.state), ""), *_row(found, one))
            for one in found.rows
        ],
    }


def _says(found: Backtest) -> str:
    """The result in a sentence or two."""
    one = found.summary
    if not one.measured:
        return _("No release is recorded here whose outcomes are still kept.")
    text = _(
        "It would have failed at {fired} of {measured} releases: {rightly} of {back} that went "
        "back, and {falsely} of {succeeded} that succeeded."
    )
    said = text.format(
        fired=one.fired, measured=one.measured, rightly=one.fired_rightly, back=one.went_back,
        falsely=one.fired_falsely, succeeded=one.succeeded,
    )  # fmt: skip
    if one.after_s is None:
        return said
    early = _("The median is {time} after a step's start.")
    return f"{said} {early.format(time=quantities.duration(one.after_s))}"


def _row(found: Backtest, one: Backtested) -> tuple[str, str, str]:
    """What it says of a release, the numbers, and how finely those are kept."""
    replay = one.replay
    if not replay.looks:
        return _("no data"), "", ""
    fine = _("by {time}").format(time=quantities.duration(replay.width_s))
    if replay.fired is None:
        return _("would have passed"), "", fine
    step = descriptions.step_name(one.release, replay.fired.step)
    after = quantities.duration(replay.fired.after_s)
    said = _("would have failed at {step}, after {time}").format(step=step, time=after)
    judgement = replay.fired.judgement
    state = {
        "verdict": judgement.verdict.value,
        "value": judgement.value,
        "requests": judgement.requests,
        "errors": judgement.errors,
        "numbers": judgement.numbers,
    }
    return said, check_words.verdict_words(found.check, state), fine
