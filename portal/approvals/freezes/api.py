"""``/api/v1/projects/{project}/freezes``: whether an environment is frozen, and its windows.

A key that may configure its environment makes windows that hold in it and in no other; what takes
away from a freeze that is in force takes a person who may override it.
"""

from datetime import UTC, datetime
from typing import Any

from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.scope import allowed_here, environment_of, holder_of
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals.freezes import services as freeze_services
from portal.approvals.freezes.models import FreezeWindow
from portal.approvals.freezes.selectors import freeze_address, freezes_of, line_stopped_in
from portal.approvals.freezes.services import LONGEST_NAME, LONGEST_REASON
from portal.approvals.freezes.windows import YEARS, coming, in_force
from portal.lib import clock
from portal.lib.api.endpoints import answer, find, required_version
from portal.lib.api.shapes import MOMENT, SWITCH, TEXT, TEXTS, WHOLE, Shape, read_object
from portal.lib.api.views import CONFLICT, IF_MATCH, NO_MATCH, ApiView, operation, query
from portal.lib.errors import Invalid
from portal.lib.journal import Intent

_TAG = "one environment"
SPAN = Shape("Span", {"starts": MOMENT(), "ends": MOMENT()}, "From when, until just before when.")
FREEZE = Shape(
    "Freeze",
    {
        "id": WHOLE(of="pk"),
        "version": WHOLE("Also the ETag of the window."),
        "name": TEXT(),
        "reason": TEXT(),
        "starts": TEXT(),
        "ends": TEXT(),
        "zone": TEXT(),
        "rrule": TEXT(),
        "environments": TEXTS(),
        "address": TEXT(format="uri"),
        "in_force": SPAN.one(nullable=True),
        "next": SPAN.one(nullable=True),
    },
    "A window. ``starts`` and ``ends`` are what the clock shows in ``zone``.",
    stored="document",
)
NEW_FREEZE = Shape(
    "NewFreeze",
    {
        "name": TEXT(maxLength=LONGEST_NAME),
        "reason": TEXT(optional=True, maxLength=LONGEST_REASON),
        "environments": TEXTS(),
        "starts": TEXT(),
        "ends": TEXT(),
        "zone": TEXT(),
        "rrule": TEXT(optional=True),
    },
    "A window to be: ``starts`` and ``ends`` as ``2026-12-24T16:00``, ``zone`` by its name.",
)
FREEZES = Shape(
    "Freezes",
    {"environment": TEXT(), "at": MOMENT(), "frozen": SWITCH(), "freezes": FREEZE.many()},
    "Whether an environment is frozen at a moment, and all its windows.",
)


LINE = Shape(
    "StoppedLine",
    {
        "stopped": SWITCH(),
        "reason": TEXT(),
        "by": TEXT("Who stopped it, or empty.", of="created_by"),
        "at": MOMENT("Since when.", of="created_at", nullable=True),
    },
    "Whether something may raise what users get in an environment.",
)
STOP = Shape("LineStop", {"reason": TEXT("What is wrong.")})
_MOVES = {"stopped": False, "reason": "", "by": "", "at": None}


class FreezeList(ApiView):
    @operation(
        "list_freezes",
        _TAG,
        FREEZES,
        parameters=[
            query("environment", "The key's own, unless it is named."),
            query("at", "With an offset or Z; now, unless it is given.", datetime),
        ],
    )
    def get(self, request: Request, project: str) -> Response:
        """Whether the environment is frozen now, or at another time, and by what."""
        asked = request.query_params
        key = asked.get("environment") or holder_of(request).environment.key
        place, at = environment_of(request, project, key), _moment(asked.get("at", ""))
        found = freezes_of(place.project).filter(environments=place)
        freezes = [_document(freeze, place, at) for freeze in found]
        document = {
            "environment": place.key,
            "at": at.isoformat(),
            "frozen": any(freeze["in_force"] for freeze in freezes),
            "freezes": freezes,
        }
        return answer(document)

    @operation("create_freeze", _TAG, FREEZE, status=201, body=NEW_FREEZE)
    def post(self, request: Request, project: str) -> Response:
        """Freeze the key's environment for some time, once or again and again."""
        place = allowed_here(request, project, Permission.ENVIRONMENT_CONFIGURE)
        made = freeze_services.create_freeze(
            project=place.project,
            document=read_object(request.data),
            intent=Intent(holder_of(request).actor),
        )
        return _answer(made, place, at=reverse("api-freeze", args=[project, made.pk]))


class FreezeDetail(ApiView):
    @operation("read_freeze", _TAG, FREEZE)
    def get(self, request: Request, project: str, freeze: int) -> Response:
        """A window that holds in the key's environment. Its ETag is its version."""
        place = allowed_here(request, project, Permission.FLAG_VIEW)
        return _answer(_freeze_of(place, freeze), place)

    @operation(
        "edit_freeze", _TAG, FREEZE, CONFLICT, NO_MATCH, body=NEW_FREEZE, parameters=[IF_MATCH]
    )
    def put(self, request: Request, project: str, freeze: int) -> Response:
        """Replace the window that you read. A freeze that is in force cannot be cut short."""
        place = allowed_here(request, project, Permission.ENVIRONMENT_CONFIGURE)
        edited = freeze_services.edit_freeze(
            freeze=_freeze_of(place, freeze),
            document=read_object(request.data),
            expected_version=required_version(request),
            intent=Intent(holder_of(request).actor),
        )
        return _answer(edited, place)

    @operation("cancel_freeze", _TAG)
    def delete(self, request: Request, project: str, freeze: int) -> Response:
        """End a window for good, unless it is in force; it stays in the history."""
        place = allowed_here(request, project, Permission.ENVIRONMENT_CONFIGURE)
        found = _freeze_of(place, freeze)
        freeze_services.cancel_freeze(freeze=found, intent=Intent(holder_of(request).actor))
        return Response(status=204)


class LineDetail(ApiView):
    @operation("read_line", _TAG, LINE)
    def get(self, request: Request, project: str, environment: str) -> Response:
        """Who has stopped the line here, if somebody has, and why."""
        found = line_stopped_in(environment_of(request, project, environment))
        return answer(LINE.dump(found, stopped=True) if found else _MOVES)

    @operation("stop_line", _TAG, LINE, body=STOP)
    def put(self, request: Request, project: str, environment: str) -> Response:
        """Let nothing raise what users get here, until a person lifts that.

        Rollbacks, turning off and the ends of emergencies pass.
        """
        place = environment_of(request, project, environment, Permission.INCIDENT_MANAGE)
        intent = Intent(holder_of(request).actor, **STOP.read(request.data))
        return answer(
            LINE.dump(freeze_services.stop_line(environment=place, intent=intent), stopped=True)
        )


def _freeze_of(place: Environment, number: int) -> FreezeWindow:
    return find(freezes_of(place.project), environments=place.pk, pk=number)


def _answer(freeze: FreezeWindow, place: Environment, *, at: str = "") -> Response:
    document = _document(freeze, place, clock.database_now())
    return answer(document, version=freeze.version, at=at)


def _moment(text: str) -> datetime:
    if not text:
        return clock.database_now()
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or at.year not in YEARS:
        raise Invalid({"at": _("Send a time with its offset, such as 2026-12-24T16:00:00Z.")})
    return at.astimezone(UTC)


def _document(freeze: FreezeWindow, place: Environment, at: datetime) -> dict[str, Any]:
    running = in_force(freeze.window, at)
    later = [one for one in coming(freeze.window, at, 2) if one.starts > at]
    return FREEZE.dump(
        freeze,
        address=freeze_address(place.project, freeze),
        in_force=SPAN.dump(running) if running else None,
        next=SPAN.dump(later[0]) if later else None,
    )
