"""``/api/v1/projects/{project}/freezes``: whether an environment is frozen. Keys read only."""

from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import authority
from portal.access.api import KeyHolder
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals.errors import freeze_address
from portal.approvals.freezes import freezes_of
from portal.approvals.freezing import YEARS, Occurrence, coming, in_force
from portal.approvals.models import FreezeWindow
from portal.lib import clock
from portal.lib.api_schema import answers
from portal.lib.api_view import ApiView
from portal.lib.errors import Invalid


class Span(serializers.Serializer[Any]):
    """From when, until just before when."""

    starts = serializers.DateTimeField()
    ends = serializers.DateTimeField()


class Freeze(serializers.Serializer[Any]):
    """A window. ``starts`` and ``ends`` are what the clock shows in ``zone``."""

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
        **freeze.document,
        "address": freeze_address(environment.project, freeze),
        "in_force": _span(running),
        "next": _span(later[0] if later else None),
    }


def _span(one: Occurrence | None) -> dict[str, str] | None:
    return {"starts": one.starts.isoformat(), "ends": one.ends.isoformat()} if one else None
