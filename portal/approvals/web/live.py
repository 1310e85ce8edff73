"""Parts of pages that stay true without a reload: asked for every two seconds, drawn on change."""

import hashlib
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from portal.audit.models import AuditEvent
from portal.lib.web.pages import wants_fragment


def pulse(now: datetime) -> str:
    """Another text whenever anything may look different: something was recorded, or time went on.

    Nothing changes without a row of the audit trail; evidence expires and ages grow by the clock.
    """
    last = AuditEvent.objects.order_by("-sequence").values_list("sequence", flat=True).first()
    return f"{last or 0}.{int(now.timestamp()) // 60}"


def is_unchanged(request: HttpRequest, beat: str) -> bool:
    """Whether the page that asks has seen everything up to this pulse."""
    return request.GET.get("seen", "").rpartition(".")[0] == beat


def draw(
    request: HttpRequest,
    name: str,
    context: dict[str, object],
    beat: str,
    *,
    folder: str = "approvals",
) -> dict[str, object]:
    """The context with the live part drawn: ``live.body``, and ``live.seen`` to ask with."""
    body = render_to_string(f"{folder}/_{name}.html", context, request)
    drawn = hashlib.sha256(body.encode()).hexdigest()[:16]
    live = {
        "id": name,
        "body": mark_safe(body),  # noqa: S308 - a template of ours has just escaped it
        "seen": f"{beat}.{drawn}",
        "drawn": drawn,
        "query": _query(request),
    }
    return context | {"live": live}


def answer(
    request: HttpRequest,
    name: str,
    context: dict[str, object],
    beat: str,
    *,
    status: int = 200,
    folder: str = "approvals",
) -> HttpResponse:
    """The page ``name``, or its live part where htmx asks; 204 where it looks the same as seen."""
    drawn = draw(request, name, context, beat, folder=folder)
    if not wants_fragment(request):
        return render(request, f"{folder}/{name}.html", drawn, status=status)
    live = drawn["live"]
    assert isinstance(live, dict)
    if request.GET.get("seen", "").rpartition(".")[2] == live["drawn"]:
        return HttpResponse(status=204)
    return render(request, "approvals/_live.html", drawn, status=status)


def _query(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("seen", None)
    return query.urlencode()
