"""What every page answers alike: caches, errors that a person can read, what goes on elsewhere."""

from collections.abc import Callable
from typing import cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from portal.lib.errors import AviaryError, Deferred, announce, error_page
from portal.lib.web.pages import HtmxRequest, redirect_to, wants_fragment

Handler = Callable[[HttpRequest], HttpResponse]


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
        if isinstance(exception, Deferred):
            return redirect_to(request, exception.path, exception.notice)
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
    return announce(render(request, "_signed_out.html", {"address": address}, status=401))
