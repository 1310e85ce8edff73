import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    QueryDict,
    StreamingHttpResponse,
)
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.access.models import User
from portal.access.permissions import Permission
from portal.access.signin.sessions import actor_of
from portal.access.web.scope import Scope, project_page, refuse_nul
from portal.audit import exports, history
from portal.audit.diffing import differences
from portal.audit.filters import PARAMETERS, PERIOD_WORDS, Query, parse
from portal.audit.models import AuditEvent
from portal.audit.web.lines import address_of, history_page, lines
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.journal import Actor, Intent
from portal.lib.web.pages import render_page

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class HistoryPlace:
    """Where the history is read; ``scope`` None is the whole site, for its administrators."""

    actor: Actor
    scope: Scope | None = None

    @property
    def project(self) -> str | None:
        return self.scope.project.key if self.scope else None

    @property
    def is_site(self) -> bool:
        return self.scope is None

    @property
    def may_export(self) -> bool:
        return self.scope is None or Permission.AUDIT_EXPORT in self.scope.permissions

    @property
    def list_address(self) -> str:
        return reverse("history", args=[self.project]) if self.scope else reverse("site-history")

    @property
    def export_address(self) -> str:
        if self.scope is None:
            return reverse("site-history-export")
        return reverse("history-export", args=[self.project])

    @property
    def production(self) -> str:
        """The environment behind “last 30 days of production”, or empty."""
        if self.scope is None:
            return "production"
        found = (one.key for one in self.scope.environments if one.is_production)
        return next(found, "")


View = Callable[Concatenate[HttpRequest, HistoryPlace, P], HttpResponseBase]


def history_of_project(permission: Permission) -> Callable[[View[P]], Callable[..., Any]]:
    def decorate(view: View[P]) -> Callable[..., Any]:
        @project_page(permission)
        def placed(request: HttpRequest, scope: Scope, /, **kwargs: Any) -> HttpResponse:
            found = view(request, HistoryPlace(scope.actor, scope), **kwargs)  # type: ignore[call-arg]
            return cast(HttpResponse, found)  # a stream where it is an export

        return placed

    return decorate


def history_of_site(view: View[P]) -> Callable[..., HttpResponseBase]:
    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        refuse_nul(request)
        if not cast(User, request.user).is_superuser:
            raise PermissionDenied(_("The history of all projects is for site administrators."))
        return view(request, HistoryPlace(actor_of(request)), **kwargs)  # type: ignore[call-arg]

    return guarded


def _list(request: HttpRequest, place: HistoryPlace) -> HttpResponse:
    query = parse(request.GET.dict(), project=place.project, now=clock.now())
    context: dict[str, Any] = {"scope": place.scope, "place": place, "query": query}
    context |= _form(query, place)
    if not query.problems:
        context |= _results(request, query, place)
    status = 400 if query.problems else 200
    return render_page(request, "audit/list.html", "audit/_list.html", context, status=status)


def _results(request: HttpRequest, query: Query, place: HistoryPlace) -> dict[str, object]:
    found = history_page(request, query.filters, site=place.is_site)
    shown = found["lines"]
    assert isinstance(shown, list)
    alone = not found["next_page"] and not found["previous_page"]
    count = history.Count(len(shown), True) if alone else history.count(query.filters)
    return {**found, "count": count}


def _form(query: Query, place: HistoryPlace) -> dict[str, object]:
    """What the filters offer. A value that has never been seen is offered as long as it is set."""
    choices = history.choices(query.filters.project)
    for name, found in choices.items():
        value = query.given.get(name)
        if value and value not in found:
            found.insert(0, value)
    names = ("project", *PARAMETERS) if place.is_site else PARAMETERS
    return {
        "choices": choices,
        "projects": history.projects() if place.is_site else [],
        "periods": PERIOD_WORDS,
        "zone": query.given.get("zone", "UTC"),
        "hidden": {name: query.given[name] for name in ("kind", "request") if name in query.given},
        "narrows": any(name in query.given for name in names if name != "zone"),
        "filter_query": _encoded(query),
        "periods_of_production": _encoded_values(environment=place.production, period="30d"),
    }


def _encoded(query: Query, **place: int) -> str:
    return _encoded_values(**query.given, **place)


def _encoded_values(**values: object) -> str:
    encoded = QueryDict(mutable=True)
    for name, value in values.items():
        encoded[name] = str(value)
    return encoded.urlencode()


def _event(request: HttpRequest, place: HistoryPlace, sequence: int) -> HttpResponse:
    try:
        event = history.find(place.project, sequence)
    except AuditEvent.DoesNotExist:
        raise Http404(sequence) from None
    earlier, later = history.neighbours(event)
    (line,) = lines([event], site=place.is_site)
    found = differences(event.before_document, event.after_document)
    context = {
        "scope": place.scope,
        "place": place,
        "event": event,
        "line": line,
        "differences": found,
        "earlier": _neighbour(event, earlier, place),
        "later": _neighbour(event, later, place),
        "before": _pretty(event.before_document),
        "after": _pretty(event.after_document),
        "actor_query": _encoded_values(actor=event.actor),
        "subject_query": _encoded_values(subject=event.subject, kind=event.subject_kind),
        "whole_query": _encoded_values(subject=event.part_of, kind=event.part_of_kind),
        "request_query": _encoded_values(request=event.request_id),
        "title": _("Record {number}").format(number=event.sequence),
    }
    return render_page(request, "audit/event.html", "audit/_event.html", context)


def _pretty(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) if document is not None else ""


def _neighbour(event: AuditEvent, sequence: int | None, place: HistoryPlace) -> str:
    if sequence is None:
        return ""
    return address_of(AuditEvent(sequence=sequence, project=event.project), site=place.is_site)


project_list = require_safe(history_of_project(Permission.AUDIT_VIEW)(_list))
project_event = require_safe(history_of_project(Permission.AUDIT_VIEW)(_event))
site_list = require_safe(history_of_site(_list))
site_event = require_safe(history_of_site(_event))


def _export(request: HttpRequest, place: HistoryPlace) -> HttpResponseBase:
    """The rows that match the filters in the address. By POST, for it leaves a record."""
    now = clock.now()
    query = parse(request.GET.dict(), project=place.project, now=now)
    if query.problems:
        raise Invalid(query.problems)
    export = exports.start_export(
        filters=query.filters,
        format_name=request.POST.get("format", "csv"),
        intent=Intent(place.actor, at=now),
        alone=request.POST.get("script") != "1",
    )
    headers = {
        "Content-Disposition": f'attachment; filename="{export.name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(export.pieces, content_type=export.media_type, headers=headers)


project_export = require_POST(history_of_project(Permission.AUDIT_EXPORT)(_export))
site_export = require_POST(history_of_site(_export))
