import ipaddress
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, cast

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import User
from portal.access.signin import people
from portal.lib import clock, journal
from portal.lib.journal import Actor, ActorKind, Entry
from portal.lib.middleware import trace_of
from portal.lib.patience import only_a_trace
from portal.lib.web.pages import redirect_to

# How old "last seen" may be: a write for each page would be one too many.
_FRESH = timedelta(minutes=1)


# By what browsers and systems say of themselves; the first one found, for most claim to be others.
_BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome"}
_BROWSERS |= {"Safari/": "Safari"}
_SYSTEMS = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows"}
_SYSTEMS |= {"Mac OS X": "macOS", "CrOS": "ChromeOS", "Linux": "Linux"}


def sessions_of(user: User) -> list[tuple[UserSession, str]]:
    found = sorted(UserSession.objects.purge_and_list(user), key=lambda s: s.last_seen_at)
    return [(session, browser_name(session.user_agent)) for session in reversed(found)]


def browser_name(user_agent: str) -> str:
    """“Firefox, Linux” where it can be told, else what the browser says of itself, cut short."""
    named = [
        next((name for mark, name in names.items() if mark in user_agent), None)
        for names in (_BROWSERS, _SYSTEMS)
    ]
    return ", ".join(filter(None, named)) or user_agent[:40] or _("unknown")


def touch(request: HttpRequest) -> None:
    """Keep where a session was seen last, once a minute."""
    found = UserSession.objects.filter(session_key=request.session.session_key)
    seen_at = found.values_list("last_seen_at", flat=True).first()
    if seen_at is None or clock.now() - seen_at > _FRESH:
        UserSession.objects.create_from_request(request)


def follow(old_key: str | None, new_key: str | None) -> None:
    UserSession.objects.filter(session_key=new_key).delete()
    UserSession.objects.filter(session_key=old_key).update(session_key=new_key)


def end_all(*, user: User, actor: Actor, keep: str | None = None) -> int:
    """End someone's sessions but the one with the key ``keep``; how many."""
    return end(UserSession.objects.filter(user=user).exclude(session_key=keep or ""), actor=actor)


@transaction.atomic
def end(sessions: Iterable[UserSession], *, actor: Actor) -> int:
    """End sessions: their cookies open nothing from the next request on."""
    entries = []
    for session in sessions:
        before = {"address": session.ip, "browser": session.user_agent}
        entries.append(
            Entry(
                event="session.revoked",
                actor=actor,
                subject_kind="user",
                subject=session.user.username,
                before=before,
            )
        )
        session.end()
    journal.write_all(entries)
    return len(entries)


# Who asks, and from where.


NOWHERE = "0.0.0.0"  # noqa: S104 - no address to listen at
_NEIGHBOURHOOD = 64  # bits of an IPv6 address that one customer has for themselves


def person_of(request: HttpRequest) -> User:
    return cast(User, request.user)


def actor_of(request: HttpRequest) -> Actor:
    return authority.user_actor(cast(User, request.user), trace_of(request))


def stranger_of(request: HttpRequest) -> Actor:
    return Actor(ActorKind.SYSTEM, "", "sign-in", trace_of(request))


def address_of(request: HttpRequest) -> str:
    try:
        return str(ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")))
    except ValueError:
        return NOWHERE


def neighbourhood_of(request: HttpRequest) -> str:
    """What failures are counted by: the address, or the network of an IPv6 address."""
    address = ipaddress.ip_address(address_of(request))
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, _NEIGHBOURHOOD), strict=False).network_address)


Handler = Callable[[HttpRequest], HttpResponse]
_BEFORE_ENROLMENT = ("two-factor-enrol", "recovery-codes", "sign-out")


def session_activity(get_response: Handler) -> Handler:
    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            with only_a_trace("the use of a session"):
                touch(request)
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
        if name in _BEFORE_ENROLMENT or people.has_two_factor(person_of(request)):
            return None
        return redirect_to(request, reverse("two-factor-enrol"))
