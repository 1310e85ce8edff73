import json
from typing import Any

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    QueryDict,
    StreamingHttpResponse,
)
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.access.permissions import Permission
from portal.audit import exports, history
from portal.audit.diffing import differences
from portal.audit.filters import PARAMETERS, PERIOD_WORDS, Query, parse
from portal.audit.models import AuditEvent
from portal.audit.web.lines import address_of, history_page, lines
from portal.audit.web.scope import Place, history_of_project, history_of_site
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.lib.web.pages import render_page


def _list(request: HttpRequest, place: Place) -> HttpResponse:
    """The rows that match the filters in the address, 50 at a time, newest first."""
    query = parse(request.GET.dict(), project=place.project, now=clock.now())
    context: dict[str, Any] = {"scope": place.scope, "place": place, "query": query}
    context |= _form(query, place)
    if not query.problems:
        context |= _results(request, query, place)
    status = 400 if query.problems else 200
    return render_page(request, "audit/list.html", "audit/_list.html", context, status=status)


def _results(request: HttpRequest, query: Query, place: Place) -> dict[str, object]:
    found = history_page(request, query.filters, site=place.is_site)
    shown = found["lines"]
    assert isinstance(shown, list)
    alone = not found["next_page"] and not found["previous_page"]
    count = history.Count(len(shown), True) if alone else history.count(query.filters)
    return {**found, "count": count}


def _form(query: Query, place: Place) -> dict[str, object]:
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
    """The filters of this page as the query of another address."""
    return _encoded_values(**query.given, **place)


def _encoded_values(**values: object) -> str:
    encoded = QueryDict(mutable=True)
    for name, value in values.items():
        encoded[name] = str(value)
    return encoded.urlencode()


def _event(request: HttpRequest, place: Place, sequence: int) -> HttpResponse:
    """One row with everything there is to it."""
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


def _neighbour(event: AuditEvent, sequence: int | None, place: Place) -> str:
    if sequence is None:
        return ""
    return address_of(AuditEvent(sequence=sequence, project=event.project), site=place.is_site)


project_list = require_safe(history_of_project(Permission.AUDIT_VIEW)(_list))
project_event = require_safe(history_of_project(Permission.AUDIT_VIEW)(_event))
site_list = require_safe(history_of_site(_list))
site_event = require_safe(history_of_site(_event))


def _export(request: HttpRequest, place: Place) -> HttpResponseBase:
    """The rows that match the filters in the address. By POST, for it leaves a record."""
    now = clock.now()
    query = parse(request.GET.dict(), project=place.project, now=now)
    if query.problems:
        raise Invalid(query.problems)
    export = exports.start_export(
        filters=query.filters,
        format_name=request.POST.get("format", "csv"),
        intent=Intent(place.actor, at=now),
        alone=request.POST.get("alone") == "1",
    )
    headers = {
        "Content-Disposition": f'attachment; filename="{export.name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(export.pieces, content_type=export.media_type, headers=headers)


project_export = require_POST(history_of_project(Permission.AUDIT_EXPORT)(_export))
site_export = require_POST(history_of_site(_export))
