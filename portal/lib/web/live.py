"""Parts of pages that stay true without a reload: asked for every few seconds, drawn on change."""

import hashlib
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from portal.lib.web.pages import Context, query_with, render_page, wants_fragment


def page_in_state(
    request: HttpRequest,
    template: tuple[str, str],
    state: str,
    context: Callable[[], Context],
) -> HttpResponse:
    """The page or its part, with its ``state``; 204 where it is as it was seen."""
    if request.GET.get("seen") == state:
        return HttpResponse(status=204)
    return render_page(request, *template, {"state": state, **context()})


def live_page(
    request: HttpRequest, name: str, beat: str, context: Callable[[], Context]
) -> HttpResponse:
    """The page ``folder/name``, or its live part where htmx asks; 204 where it looks as it did.

    While the ``beat`` is the one that was seen it is not even drawn.
    """
    seen_beat, _dot, seen = request.GET.get("seen", "").rpartition(".")
    if seen_beat == beat:
        return HttpResponse(status=204)
    shown = draw(request, name, context(), beat)
    if not wants_fragment(request):
        return render(request, f"{name}.html", shown)
    live = shown["live"]
    assert isinstance(live, dict)
    if seen == live["drawn"]:
        return HttpResponse(status=204)
    return render(request, "_live.html", shown)


def draw(request: HttpRequest, name: str, context: Context, beat: str) -> dict[str, object]:
    """The context with the live part drawn: ``live.body``, and ``live.seen`` to ask with."""
    folder, _slash, part = name.rpartition("/")
    body = render_to_string(f"{folder}/_{part}.html", dict(context), request)
    drawn = hashlib.sha256(body.encode()).hexdigest()[:16]
    live = {
        "id": part,
        "body": mark_safe(body),  # noqa: S308 - a template of ours has just escaped it
        "seen": f"{beat}.{drawn}",
        "drawn": drawn,
        "query": query_with(request.GET),
    }
    return {**context, "live": live}
