"""Answering a page or its fragment from one view, and errors as fragments a person can read."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django_htmx.middleware import HtmxDetails

from portal.lib.errors import AviaryError, announce, error_page

Handler = Callable[[HttpRequest], HttpResponse]


class HtmxRequest(HttpRequest):
    """A request as django-htmx leaves it."""

    htmx: HtmxDetails


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page; boosted and history visits want all of it."""
    htmx = cast(HtmxRequest, request).htmx
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def render_page(
    request: HttpRequest,
    page: str,
    fragment: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    """The page, or where htmx asks for it the fragment that the page includes."""
    template = fragment if wants_fragment(request) else page
    return render(request, template, dict(context), status=status)


class htmx_responses:  # noqa: N801 - named like the middleware functions beside it
    """Keep pages and fragments apart in caches, and turn our own errors into readable answers."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if wants_fragment(request) and _sends_to_sign_in(response):
            response = _signed_out(request)
        if response.get("Content-Type", "").startswith("text/html"):
            response["Vary"] = ", ".join(filter(None, [response.get("Vary"), "HX-Request"]))
            # Pages hold what only this person may see.
            response.setdefault("Cache-Control", "no-store")
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, AviaryError):
            return None
        response = error_page(request, exception.status, exception.title, str(exception))
        if wait_s := getattr(exception, "wait_s", None):
            response["Retry-After"] = str(wait_s)
        return response


def _sends_to_sign_in(response: HttpResponse) -> bool:
    return response.status_code == 302 and response["Location"].startswith(
        reverse(settings.LOGIN_URL)
    )


def _signed_out(request: HttpRequest) -> HttpResponse:
    """htmx would follow the redirect and put the sign-in page into the middle of this one."""
    here = cast(HtmxRequest, request).htmx.current_url_abs_path or "/"
    address = reverse(settings.LOGIN_URL, query={"next": here})
    response = render(request, "_signed_out.html", {"address": address}, status=401)
    return announce(response)


def redirect_to(request: HttpRequest, address: str, message: str = "") -> HttpResponse:
    """Send the browser on, whether htmx asked or a plain form; ``message`` shows on arrival."""
    if message:
        messages.success(request, message)
    if not wants_fragment(request):
        return redirect(address)
    return HttpResponse(status=204, headers={"HX-Redirect": address})
