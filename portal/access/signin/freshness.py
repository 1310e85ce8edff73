"""Asking again who someone is, before what would hurt most.

``@needs_fresh_sign_in`` on a view lets reading through. A change by someone whose last proof is too
old is answered with a small form: it asks for the password (or a code, or to sign in again through
the provider), carries everything that was typed, and sends it to the same address again.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from portal.access.signin import people, sessions
from portal.access.signin.forms import ConfirmCodeForm
from portal.lib import clock
from portal.lib.web.pages import HtmxRequest, aimed, wants_fragment

View = Callable[..., HttpResponse]  # narrower than what Django takes: answers are not streamed
SAFE = ("GET", "HEAD", "OPTIONS")
PROVED_AT = "single_sign_on_proved_at"  # in the session: when the provider saw the person, seconds
_PASSWORD, _CODE = "confirm_password", "confirm_code"
_OURS = (_PASSWORD, _CODE, "csrfmiddlewaretoken")


def recently_authenticated(request: HttpRequest) -> bool:
    if not request.user.is_authenticated:
        return False
    times = [_time(request, each) for each in get_authentication_records(request, request.user)]
    age = clock.now().timestamp() - max(times, default=0.0)
    return age < settings.REAUTHENTICATION_TIMEOUT.total_seconds()


def _time(request: HttpRequest, proof: dict[str, Any]) -> float:
    """When a proof was given. At the provider that may have been long before they came here."""
    at = float(proof["at"])
    if proof["method"] != "socialaccount":
        return at
    return min(at, float(request.session.get(PROVED_AT, 0.0)))


def needs_fresh_sign_in(view: View) -> View:
    """Let changes through only for people who have proven lately who they are.

    Stands below the check of permissions. The answer is swapped into ``#dialog``; once confirmed,
    that of the view goes where it would have gone, replacing its target.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in SAFE or recently_authenticated(request):
            return view(request, *args, **kwargs)
        error = _confirm(request)
        if error is not None:
            return _ask(request, error)
        return view(request, *args, **kwargs)

    return guarded


def _confirm(request: HttpRequest) -> str | None:
    user = sessions.person_of(request)
    way = _way(request)
    proven = False
    if way == _PASSWORD and request.POST.get(_PASSWORD):
        proven = get_adapter(request).reauthenticate(user, request.POST[_PASSWORD])
        if proven:
            reauthenticate_by_password(request)
    elif way == _CODE and request.POST.get(_CODE):
        form = ConfirmCodeForm(user=user, data={"code": request.POST[_CODE]})
        proven = form.is_valid()
        if proven:
            form.save()
    elif way not in request.POST:
        return ""
    if not proven:
        return _("Wrong password or code. Nothing was saved.")
    fields = request.POST.copy()
    for name in (_PASSWORD, _CODE):
        fields.pop(name, None)
    request.POST = fields  # type: ignore[assignment]  # the view never sees the proof
    return None


def _way(request: HttpRequest) -> str:
    user = sessions.person_of(request)
    if user.has_usable_password():
        return _PASSWORD
    return _CODE if people.has_two_factor(user) else ""


def _ask(request: HttpRequest, error: str) -> HttpResponse:
    htmx = cast(HtmxRequest, request).htmx
    fragment = wants_fragment(request)
    here = (htmx.current_url_abs_path if fragment else None) or request.path
    context = {
        "action": request.get_full_path(),
        "fields": [(n, v) for n, vs in request.POST.lists() if n not in _OURS for v in vs],
        "way": _way(request),
        "error": error,
        "fragment": fragment,
        "target": f"#{htmx.target}" if htmx.target else "#dialog",
        "next": here,
        "provider": settings.OIDC.get("name"),
    }
    template = "signin/_confirm.html" if fragment else "signin/confirm.html"
    return aimed(render(request, template, context, status=403), "dialog", "innerHTML")
