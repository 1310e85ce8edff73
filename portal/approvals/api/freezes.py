"""``/api/v1/projects/{project}/freezes``: whether an environment is frozen, and its windows.

A key that may configure its environment makes windows that hold in it and in no other; what takes
away from a freeze that is in force takes a person who may override it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import authority
from portal.access.api import KeyHolder, holder_of
from portal.access.api_scope import allowed_here
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals import services
from portal.approvals.errors import freeze_address
from portal.approvals.freezes import freezes_of
from portal.approvals.freezing import YEARS, Occurrence, coming, in_force
from portal.approvals.models import FreezeWindow
from portal.approvals.services.freeze_documents import LONGEST_NAME, LONGEST_REASON
from portal.lib import clock
from portal.lib.api_match import etag, required_version
from portal.lib.api_schema import IF_MATCH, WITH_BODY, answers
from portal.lib.api_view import ApiView
from portal.lib.errors import Invalid
from portal.lib.intent import Intent


class Span(serializers.Serializer[Any]):
    """From when, until just before when."""

    starts = serializers.DateTimeField()
    ends = serializers.DateTimeField()


class Freeze(serializers.Serializer[Any]):
    """A window. ``starts`` and ``ends`` are what the clock shows in ``zone``."""

    id = serializers.IntegerField()
    version = serializers.IntegerField(help_text="Also the ETag of the window.")
    name = serializers.CharField()
    reason = serializers.CharField()
    environments = serializers.ListField(child=serializers.CharField())
    starts = serializers.CharField()
    ends = serializers.CharField()
    zone = serializers.CharField()
    rrule = serializers.CharField()
    address = serializers.URLField()
    in_force = Span(allow_null=True)
    next = Span(allow_null=True)


class NewFreeze(serializers.Serializer[Any]):
    """A window to be: ``starts`` and ``ends`` as ``2026-12-24T16:00``, ``zone`` by its name."""

    name = serializers.CharField(max_length=LONGEST_NAME)
    reason = serializers.CharField(required=False, max_length=LONGEST_REASON)
    environments = serializers.ListField(child=serializers.CharField())
    starts = serializers.CharField()
    ends = serializers.CharField()
    zone = serializers.CharField()
    rrule = serializers.CharField(required=False)


class Freezes(serializers.Serializer[Any]):
    """Whether an environment is frozen at a moment, and all its windows."""

    environment = serializers.CharField()
    at = serializers.DateTimeField()
    frozen = serializers.BooleanField()
    freezes = Freeze(many=True)


class FreezeList(ApiView):
    """The freezes of one environment."""

    asks = {"GET": ("environment", "at")}

    @extend_schema(
        operation_id="list_freezes",
        tags=["one environment"],
        parameters=[
            OpenApiParameter("environment", str, description="The key's own, unless it is named."),
            OpenApiParameter(
                "at", datetime, description="With an offset or Z; now, unless it is given."
            ),
        ],
        responses=answers(200, Freezes),
    )
    def get(self, request: Request, project: str) -> Response:
        """Whether the environment is frozen now, or at another time, and by what."""
        environment = _environment(request, project)
        at = _moment(request.query_params.get("at", ""))
        found = freezes_of(environment.project).filter(environments=environment)
        freezes = [_answer(freeze, environment, at) for freeze in found]
        return Response(
            {
                "environment": environment.key,
                "at": at.isoformat(),
                "frozen": any(freeze["in_force"] for freeze in freezes),
                "freezes": freezes,
            }
        )

    @extend_schema(
        operation_id="create_freeze",
        tags=["one environment"],
        request=NewFreeze,
        responses=answers(201, Freeze, *WITH_BODY),
    )
    def post(self, request: Request, project: str) -> Response:
        """Freeze the key's environment for some time, once or again and again."""
        place = allowed_here(request, project, Permission.ENVIRONMENT_CONFIGURE)
        made = services.create_freeze(
            project=place.project,
            document=_object(request),
            intent=Intent(holder_of(request).actor),
        )
        where = reverse("api-freeze", args=[project, made.pk])
        return _whole(made, place, status=201, headers={"Location": where})


class FreezeDetail(ApiView):
    """One window."""

    @extend_schema(
        operation_id="read_freeze", tags=["one environment"], responses=answers(200, Freeze)
    )
    def get(self, request: Request, project: str, freeze: int) -> Response:
        """A window that holds in the key's environment. Its ETag is its version."""
        place = allowed_here(request, project, Permission.FLAG_VIEW)
        return _whole(_freeze_of(place, freeze), place)

    @extend_schema(
        operation_id="edit_freeze",
        tags=["one environment"],
        parameters=[IF_MATCH],
        request=NewFreeze,
        responses=answers(200, Freeze, 409, 428, *WITH_BODY),
    )
    def put(self, request: Request, project: str, freeze: int) -> Response:
        """Replace the window that you read. A freeze that is in force cannot be cut short."""
        place = allowed_here(request, project, Permission.ENVIRONMENT_CONFIGURE)
        edited = services.edit_freeze(
            freeze=_freeze_of(place, freeze),
            document=_object(request),
            expected_version=required_version(request),
            intent=Intent(holder_of(request).actor),
        )
        return _whole(edited, place)

    @extend_schema(
        operation_id="cancel_freeze",
        tags=["one environment"],
        request=None,
        responses=answers(204, None),
    )
    def delete(self, request: Request, project: str, freeze: int) -> Response:
        """End a window for good, unless it is in force; it stays in the history."""
        place = allowed_here(request, project, Permission.ENVIRONMENT_CONFIGURE)
        found = _freeze_of(place, freeze)
        services.cancel_freeze(freeze=found, intent=Intent(holder_of(request).actor))
        return Response(status=204)


def _freeze_of(place: Environment, number: int) -> FreezeWindow:
    """A window of the key's environment; numbers that no database can hold are of none."""
    fitting = number if number < 2**63 else 0
    found = freezes_of(place.project).filter(environments=place, pk=fitting).first()
    if found is None:
        raise Http404
    return found


def _object(request: Request) -> Mapping[str, Any]:
    if not isinstance(request.data, Mapping):
        raise Invalid({"": _("Send a JSON object.")})
    return request.data


def _whole(freeze: FreezeWindow, place: Environment, **options: Any) -> Response:
    document = _answer(freeze, place, clock.database_now())
    headers = {"ETag": etag(freeze.version), **options.pop("headers", {})}
    return Response(document, headers=headers, **options)


def _environment(request: Request, project_key: str) -> Environment:
    """The key's environment; another one of its project is forbidden, and said to be."""
    holder = request.user
    assert isinstance(holder, KeyHolder)
    if holder.project.key != project_key:
        raise Http404
    authority.require(holder.actor, Permission.FLAG_VIEW, project=holder.project)
    own, asked = holder.environment, request.query_params.get("environment", "")
    if asked in ("", own.key):
        return own
    if "\0" in asked or not holder.project.environments.filter(key=asked).exists():
        raise Http404
    text = _("This key is for the environment “{own}” and does not reach “{other}”.")
    raise PermissionDenied(text.format(own=own.key, other=asked))


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


def _answer(freeze: FreezeWindow, environment: Environment, at: datetime) -> dict[str, Any]:
    running = in_force(freeze.window, at)
    later = [one for one in coming(freeze.window, at, 2) if one.starts > at]
    return {
        "id": freeze.pk,
        "version": freeze.version,
        **freeze.document,
        "address": freeze_address(environment.project, freeze),
        "in_force": _span(running),
        "next": _span(later[0] if later else None),
    }


def _span(one: Occurrence | None) -> dict[str, str] | None:
    return {"starts": one.starts.isoformat(), "ends": one.ends.isoformat()} if one else None
