"""The same done to many flags: a dialog that says to which, and what became of each.

Friction follows risk: turning flags on in production takes the environment's name.
"""

from dataclasses import dataclass, replace

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from flags.core import bulk, selectors
from flags.core.bulk import ACTIONS, MOST_FLAGS, Action, BulkResult, End, Job
from flags.core.web.listing import read_filter
from flags.core.web.rows import Cell, FlagRow, said_of_saving
from flags.models import Flag
from flags.references import effects
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.web.preflight import Preflight, preflight, read_intent
from portal.lib import clock
from portal.lib.errors import Forbidden, Invalid
from portal.lib.web.pages import confirm_name, governed, show_form, version_in

ENDS = tuple(End)


@dataclass(frozen=True, slots=True)
class BulkRequest:
    name: str
    action: Action
    environment: Environment | None
    flags: list[Flag]
    preflight: Preflight

    @property
    def turns_on(self) -> bool:
        return self.name == "turn_on"

    @property
    def value(self) -> str:
        return f"{self.name}:{self.environment.key}" if self.environment else self.name

    @property
    def needs_name(self) -> bool:
        """Whether the environment's name is typed; not where others have to agree anyway."""
        risky = self.environment is not None and self.environment.is_production
        return self.turns_on and risky and not self.preflight.needs_approval

    @property
    def cells(self) -> list[Cell]:
        place = self.environment
        rows = [FlagRow(flag).cells for flag in self.flags] if place else []
        return [cell for cells in rows for cell in cells if cell.environment == place]


@require_POST
@project_page(Permission.FLAG_VIEW)
def change_many(request: HttpRequest, scope: Scope) -> HttpResponse:
    wanted = _read_request(request, scope)
    context = {
        "scope": scope,
        "asked": wanted,
        "preflight": wanted.preflight,
        "values": request.POST,
        "tags": selectors.known_tags(scope.project) if wanted.action.needs == "tags" else [],
        "owners": selectors.possible_owners(scope.project),
    }

    def save() -> HttpResponse:
        if wanted.needs_name and wanted.environment:
            confirm_name(request, wanted.environment.key)
        outcomes = bulk.change_flags(
            flags=wanted.flags, action=wanted.name, job=_job(request, scope, wanted)
        )
        return _done(request, scope, wanted, outcomes)

    if request.POST.get("confirmed") != "1":
        return show_form(request, "flags/core/_bulk_dialog.html", context)
    return governed(request, "flags/core/_bulk_dialog.html", context, save)


def _done(
    request: HttpRequest, scope: Scope, wanted: BulkRequest, outcomes: list[BulkResult]
) -> HttpResponse:
    counts = [(end.value, [one for one in outcomes if one.end is end]) for end in ENDS]
    places = [wanted.environment] if wanted.environment else scope.environments
    context = {
        "scope": scope,
        "counts": counts,
        "late": said_of_saving(places, "") if dict(counts)[End.DONE] else "",
    }
    response = render(request, "flags/core/_bulk_done.html", context)
    response["HX-Trigger"] = "aviary:unselect"
    return response


def _read_request(request: HttpRequest, scope: Scope) -> BulkRequest:
    name, _colon, place = request.POST.get("action", "").partition(":")
    action = ACTIONS.get(name)
    if action is None:
        raise Invalid({"": _("Choose an action for the flags, then press the button again.")})
    environment = scope.environment(place) if action.needs == "environment" else None
    held = (
        scope.allows(action.permission, environment)
        if environment
        else action.permission in scope.permissions
    )
    if not held:
        raise PermissionDenied(str(Forbidden(action.permission)))
    flags = _chosen(request, scope)
    affected = [environment] if environment else []
    if name == "archive":
        affected = effects.of_archiving_all(flags, scope.environments)
    view = preflight(scope, affected, turns_off=name == "turn_off")
    return BulkRequest(name, action, environment, flags, view)


def _chosen(request: HttpRequest, scope: Scope) -> list[Flag]:
    keys = request.POST.getlist("flag")
    if request.POST.get("matching") == "1":
        wanted = read_filter(QueryDict(request.POST.get("query", "")), scope)
        keys = selectors.matching_keys(scope.project, wanted, MOST_FLAGS + 1, now=clock.now())
    if len(keys) > MOST_FLAGS:
        raise Invalid.of(
            "",
            _("At most {most} flags at once; narrow the list with its filters."),
            most=MOST_FLAGS,
        )
    flags = selectors.flags_of(scope.project, keys)
    if not flags:
        raise Invalid({"": _("Select flags first, by the boxes in front of them.")})
    return flags


def _job(request: HttpRequest, scope: Scope, wanted: BulkRequest) -> Job:
    seen = (one.partition(" ") for one in request.POST.getlist("seen"))
    intent = read_intent(request, scope)
    options = replace(intent.options, break_glass=False, revise=None, revision=None)
    return Job(
        replace(intent, options=options),
        environment=wanted.environment,
        tags=tuple(filter(None, (t.strip() for t in request.POST.get("tags", "").split(",")))),
        owner=request.POST.get("owner", "").strip(),
        seen={key: version_in(text) for text, _space, key in seen},
    )


# Saved views: the filters of the list under a name.
