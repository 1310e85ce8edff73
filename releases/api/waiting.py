"""``…/releases/{release}/wait`` and ``/events``: an answer once something happens to a release.

Who waits holds a thread of this process, so only few may at a time, and none for long. The
database is looked into now and then, and in between the connection is given back.
"""

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.scope import allowed_here
from portal.access.permissions import Permission
from portal.audit import selectors as audit
from portal.audit.api.events import EVENT, event_document
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.api.endpoints import MOST, answer, choice, dumps, limit_of, text
from portal.lib.api.shapes import WHOLE, Shape
from portal.lib.api.views import PLAIN, ApiView, header, operation, query
from portal.lib.errors import Forbidden, Invalid
from portal.lib.numbers import read_whole
from releases.api.releases import release_of
from releases.api.services import TAG
from releases.api.shapes import RELEASE
from releases.core.models import OVER, Release, State

LONGEST_S: Final = 60
STREAM: Final = "text/event-stream"
# Then who reads comes back, with the id of what they had last.
_LONGEST_STREAM_S: Final = 300
# A write shows that nobody reads any more: until then the stream has its place.
_BEAT_S: Final = 3
_COMES_BACK_MS: Final = 1000
_LOOK_EVERY_S: Final = 0.5
# What is waited for, and the states in which it has come.
UNTIL: Final = {
    "finished": OVER,
    "held": (*OVER, State.HELD, State.WAITING, State.PAUSED),
}
_places = threading.BoundedSemaphore(settings.RELEASE_WAITERS)
_is_full = threading.Event()
logger = logging.getLogger(__name__)


class TooManyWait(APIException):
    status_code = 503
    default_detail = "Too many wait for releases already. Ask again in a moment."
    default_code = "too_many_wait"
    wait = 5
    log_level = "debug"  # the log has it once, until there is a place again


EVENTS = Shape(
    "ReleaseEvents",
    {
        "events": EVENT.many("The oldest first."),
        "after": WHOLE("To be sent back for those after them."),
    },
)
_WHOLE: Final = {"type": "integer", "minimum": 0}
SECONDS: Final = _WHOLE | {"maximum": LONGEST_S}
TOO_MANY: Final = (
    503,
    PLAIN,
    "Too many wait already, or the database is busy or away. Ask again in a moment.",
)


class ReleaseWait(ApiView):
    @operation(
        "wait_for_release",
        TAG,
        RELEASE,
        TOO_MANY,
        parameters=[
            query("until", "It is over, or also: it is held, waits or is paused.", enum=[*UNTIL]),
            query("timeout_s", "How long to wait at most.", SECONDS | {"default": 30}),
        ],
    )
    def get(self, request: Request, project: str, release: int) -> Response:
        """The release once it is over, or as it is when the time is up: look at its `state`."""
        states = UNTIL[choice(request, "until", UNTIL) or "finished"]
        until = deadline(request, "timeout_s", "30")
        found = release_of(request, project, release)
        if found.state not in states:
            wait_until(Release.objects.filter(pk=found.pk, state__in=states).exists, until)
            found = release_of(request, project, release)
        return answer(RELEASE.dump(found))


class ReleaseEvents(ApiView):
    @operation(
        "list_release_events",
        TAG,
        EVENTS,
        TOO_MANY,
        parameters=[
            query("after", "The `after` of the answer before; all without it.", _WHOLE),
            query("limit", "How many at most.", _WHOLE | {"minimum": 1, "maximum": MOST}),
            query("timeout_s", "How long to wait for the next where there is none.", SECONDS),
            header("Last-Event-ID", "Of a stream: the id of the last event that came."),
        ],
        stream="With `Accept: text/event-stream`: each record as an event, its `sequence` as id.",
    )
    def get(self, request: Request, project: str, release: int) -> HttpResponseBase:
        """Its records in the history in order, from where an earlier answer ended.

        Who asks again and again with `after` and a `timeout_s` misses none, and has each within a
        second. So does who accepts `text/event-stream`: a stream that ends with the release, or
        after five minutes, and goes on by `Last-Event-ID`; 204 where nothing more will come.
        """
        allowed_here(request, project, Permission.AUDIT_VIEW)
        found, size = release_of(request, project, release), limit_of(request)
        after, until = _after(request), deadline(request, "timeout_s", "0")
        if request.method == "GET" and STREAM in request.META.get("HTTP_ACCEPT", ""):
            return _streamed(request, found, after)
        rows = _records(found, after)
        if not rows.exists():
            wait_until(rows.exists, until)
        events = list(rows[:size])
        last = events[-1].sequence if events else after
        documents = [event_document(one, found.environment.key) for one in events]
        return answer({"events": documents, "after": last})


def _records(release: Release, after: int) -> QuerySet[AuditEvent]:
    about = {"subject_kind": "release", "subject": str(release.pk)}
    told = audit.events_of(release.project, **about)
    return told.filter(sequence__gt=after).order_by("sequence")


class _Stream:
    """The records of a release as they come. Has a place among those who wait until it is closed.

    It ends with the release; where the key may read no more; and when its time is up.
    """

    def __init__(self, request: Request, release: Release, after: int) -> None:
        self._request, self._release, self._after = request, release, after
        _take_place()
        self._has_place = True
        self._pieces = self._read()

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """Django calls it once nobody reads any more."""
        self._pieces.close()
        if self._has_place:
            self._has_place = False
            _places.release()

    def _read(self) -> Generator[bytes, None, None]:
        until = time.monotonic() + _LONGEST_STREAM_S
        yield f"retry: {_COMES_BACK_MS}\n\n".encode()
        said_at = time.monotonic()
        while time.monotonic() < until and self._may_read():
            for piece in self._new():
                yield piece
                said_at = time.monotonic()
            if _is_all(self._release, self._after):
                return
            if time.monotonic() - said_at >= _BEAT_S:
                yield b":\n\n"
                said_at = time.monotonic()
            _rest()

    def _new(self) -> Iterator[bytes]:
        for one in _records(self._release, self._after)[:MOST]:
            document = dumps(event_document(one, self._release.environment.key))
            self._after = one.sequence
            yield f"id: {one.sequence}\ndata: {document}\n\n".encode()

    def _may_read(self) -> bool:
        try:
            allowed_here(self._request, self._release.project.key, Permission.AUDIT_VIEW)
        except Forbidden:
            return False
        return True


def _is_all(release: Release, after: int) -> bool:
    now = Release.objects.get(pk=release.pk)
    is_over = now.is_over and not now.is_watched(clock.now())
    return is_over and not _records(release, after).exists()


def _streamed(request: Request, release: Release, after: int) -> HttpResponseBase:
    """The stream; 204 where it would be empty, which tells who reads not to come back."""
    if _is_all(release, after):
        return HttpResponse(status=204)
    response = StreamingHttpResponse(_Stream(request, release, after), content_type=STREAM)
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # nginx would wait for more before it passes anything on
    return response


def _after(request: Request) -> int:
    """What was read already. Raises Invalid."""
    for name, sent in (
        ("Last-Event-ID", request.META.get("HTTP_LAST_EVENT_ID", "")),
        ("after", text(request, "after")),
    ):
        after = read_whole(sent or "0")
        if after is None:
            raise Invalid.of(name, _("Send the “after” or event id of an earlier answer."))
        if sent:
            return after
    return 0


def deadline(request: Request, name: str, usual: str) -> float:
    """Until when to wait, on the clock of the process. Raises Invalid."""
    seconds = read_whole(text(request, name) or usual, most=LONGEST_S)
    if seconds is None:
        raise Invalid.of(name, _("Send a number from 0 to {most}."), most=LONGEST_S)
    return time.monotonic() + seconds


def wait_until(is_so: Callable[[], bool], until: float) -> None:
    """Return once it is so, or time is up. Raises TooManyWait."""
    if time.monotonic() >= until:
        return
    _take_place()
    try:
        while time.monotonic() < until and not is_so():
            _rest()
    finally:
        _places.release()


def _take_place() -> None:
    if _places.acquire(blocking=False):
        _is_full.clear()
        return
    if not _is_full.is_set():
        _is_full.set()
        logger.warning("%s wait for releases already; others are refused", settings.RELEASE_WAITERS)
    raise TooManyWait


def _rest() -> None:
    """Until the next look into the database; its connection is given back."""
    if not connection.in_atomic_block:
        connection.close()
    time.sleep(_LOOK_EVERY_S)
