from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from portal.access.signin import people, sessions
from portal.lib.patience import only_a_trace
from portal.lib.web.pages import redirect_to

Handler = Callable[[HttpRequest], HttpResponse]
_BEFORE_ENROLMENT = ("two-factor-enrol", "recovery-codes", "sign-out")


def session_activity(get_response: Handler) -> Handler:
    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            with only_a_trace("the use of a session"):
                sessions.touch(request)
        return get_response(request)

    return middleware


class two_factor_required:  # noqa: N801 - named like the middleware functions beside it
    """Where the installation asks for a second factor, nothing comes before enrolling one."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], *args: Any
    ) -> HttpResponse | None:
        public = not getattr(view, "login_required", True)
        if not settings.REQUIRE_TWO_FACTOR or public or not request.user.is_authenticated:
            return None
        name = request.resolver_match.url_name if request.resolver_match else None
        if name in _BEFORE_ENROLMENT or people.has_two_factor(sessions.person_of(request)):
            return None
        return redirect_to(request, reverse("two-factor-enrol"))
