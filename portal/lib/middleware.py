"""What every response carries, and where every request came from."""

import secrets
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from portal.lib.journal import Trace

Handler = Callable[[HttpRequest], HttpResponse]

# No inline script or style anywhere, nothing from another host. The API's own documentation page
# (Swagger UI) needs inline styles and says so itself.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; manifest-src 'self'"
)


def security_headers(get_response: Handler) -> Handler:
    """Add the content security policy where a view has not set its own."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response

    return middleware


def client_address(get_response: Handler) -> Handler:
    """Where proxies are declared, take the address of the browser from what they added.

    Counted from the end: whatever stands before was written by the browser itself.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        seen = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if 0 < settings.PROXIES <= len(seen):
            request.META["REMOTE_ADDR"] = seen[-settings.PROXIES].strip()
        return get_response(request)

    return middleware


def request_trace(get_response: Handler) -> Handler:
    """Give each request an id, answered as ``X-Request-ID`` and kept in the audit trail."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.request_id = secrets.token_hex(8)  # type: ignore[attr-defined]
        response = get_response(request)
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        return response

    return middleware


def trace_of(request: HttpRequest) -> Trace:
    """Where a request came from, for the audit trail; control characters cannot get into it."""
    return Trace(
        request_id=getattr(request, "request_id", ""),
        ip=_printable(request.META.get("REMOTE_ADDR", ""), 45),
        user_agent=_printable(request.META.get("HTTP_USER_AGENT", ""), 300),
    )


def _printable(text: str, length: int) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:length]
