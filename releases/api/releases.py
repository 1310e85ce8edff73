"""``…/projects/{project}/releases``: planning, starting and steering releases, and reading them.

A key reads and commands the releases of its own environment; those of others it does not see.
"""

from inspect import signature
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.scope import (
    environment_of,
    holder_of,
    place_of,
    project_of,
)
from portal.access.models import Environment
from portal.audit.filters import PERIODS
from portal.lib import clock
from portal.lib.api.endpoints import answer, answer_page, find, text
from portal.lib.api.shapes import OBJECT, SWITCH, TEXT, WHOLE, Shape
from portal.lib.api.views import WAITING, WAITS, ApiView, operation, query
from portal.lib.errors import MOST_TEXT, Invalid, refuse
from portal.lib.journal import Intent
from portal.lib.web.spreadsheets import csv_response
from releases.api.services import TAG
from releases.api.shapes import NOTE, NOTES, RELEASE, RELEASES
from releases.core import commands, planning, selectors
from releases.core.deployments import COLUMNS, OUTCOMES, STATES, DeploymentFilter, row_of
from releases.core.models import Release
from releases.core.starting import plan_and_start
from releases.engine.plans import Strategy

NEW_ARTEFACT = Shape(
    "NewArtefact",
    {
        "version": TEXT(maxLength=100),
        "digest": TEXT(
            "Such as sha256:9f86… in full; that of a version never changes.",
            maxLength=200,
        ),
        "kind": TEXT("Such as image, package or archive.", optional=True, default="image"),
        "commit": TEXT(optional=True, maxLength=100),
        "built_at": TEXT(optional=True, format="date-time"),
        "links": OBJECT(optional=True, additionalProperties={"type": "string"}),
    },
)
DRAFT = Shape(
    "ReleaseDraft",
    {
        "environment": TEXT("Its key: that of the key's environment."),
        "service": TEXT("Its key; or else `flag`.", optional=True),
        "flag": TEXT("Its key, to roll out one of its variants.", optional=True),
        "variant": TEXT("Of the flag, what everybody is to get.", optional=True),
        "artefact": NEW_ARTEFACT.one("Of the service.", optional=True),
        "strategy": TEXT(enum=[one.value for one in Strategy]),
        "plan": OBJECT(
            "steps ([{share, soak_s, gate}]), cohorts, checks, on and more; without one the usual "
            "steps.",
            optional=True,
        ),
        "template": TEXT(
            "The key of a plan template; what `plan` has beside it stands instead of its fields.",
            optional=True,
        ),
        "not_before": TEXT("When it starts.", optional=True, format="date-time"),
    },
    "A release that is not there yet.",
)
NEW_RELEASE = DRAFT.but(
    "NewRelease",
    "A release, which starts at once.",
    hold=SWITCH("Only plan it; it starts by the command.", optional=True),
    supersede=SWITCH("End what moves there now.", optional=True),
    reason=TEXT(optional=True),
)
RELEASE_WAITS = (
    409,
    WAITING.but(
        "ReleaseWaitsProblem",
        WAITING.text,
        release=WHOLE("The number of the release, which starts once that is approved."),
    ),
    "It is planned, and starts once people have agreed: `change_request` says where. Or, without "
    "that, it conflicts with what is there, and nothing was planned.",
)
COMMAND = Shape(
    "ReleaseCommand",
    {
        "reason": TEXT(optional=True),
        "supersede": SWITCH("To start: end what moves there now.", optional=True),
        "check": TEXT("To dismiss: the check whose failure is set aside.", optional=True),
        "step": WHOLE("To jump back: which step, from 0.", optional=True),
        "cohort": TEXT("To drop_cohort: which one.", optional=True),
    },
)
NEW_NOTE = Shape("NewReleaseNote", {"text": TEXT(maxLength=MOST_TEXT)})


class ReleaseList(ApiView):
    @operation(
        "list_releases",
        TAG,
        RELEASES,
        parameters=[
            query("environment", "Its key, which must be that of the key's."),
            query("service", "Only those of the service or flag with this key."),
            query("flag", "Only those of the flag with this key."),
            query("state", "Only those in this state; moving: under way.", enum=[*STATES]),
            query("outcome", "Only those that ended so.", enum=[*OUTCOMES]),
            query("version", "Only those of this version; of a flag, variant."),
            query("person", "Only those planned by somebody whose name has this in it."),
            query("text", "In the reason, the version, the digest, or the name of what it is of."),
            query("period", "Began in it, until now; instead of from and to.", enum=[*PERIODS]),
            query("from", "Began then or later: a date, or a date and time, in ISO 8601 (UTC)."),
            query("to", "Began before; a date alone counts in full."),
        ],
        csv="With `Accept: text/csv`: all of them as a file, with one line of names first.",
    )
    def get(self, request: Request, project: str) -> HttpResponseBase:
        """A page of releases, the newest first: the history of deployments."""
        rows = releases_of(request, project)
        if place := text(request, "environment"):
            environment_of(request, project, place)
        wanted = DeploymentFilter.of(request.query_params.dict(), clock.now())
        if wanted.problems:
            raise Invalid(wanted.problems)
        rows = wanted.narrow(rows)
        if request.method == "GET" and "text/csv" in request.META.get("HTTP_ACCEPT", ""):
            lines = map(row_of, rows.order_by("-pk").iterator(chunk_size=500))
            return csv_response(f"{project}-releases", COLUMNS, lines)
        return answer_page(request, RELEASES, rows, by="-pk")

    @operation("create_release", TAG, RELEASE, RELEASE_WAITS, status=201, body=NEW_RELEASE)
    def post(self, request: Request, project: str) -> Response:
        """Release a version of a service, or a variant of a flag.

        It starts at once, or at its `not_before`; with `hold` it is planned and nothing else. A
        version that is not known yet is recorded.
        """
        place, body = read_draft(request, project, NEW_RELEASE)
        hold, supersede = (body.pop(name, False) for name in ("hold", "supersede"))
        made: dict[str, Any] = {
            "project": place.project,
            "environment": place,
            "intent": Intent(holder_of(request).actor, body.pop("reason", "")),
            "document": body,
        }
        if hold:
            return _made(planning.plan_release(**made))
        return _made(plan_and_start(**made, supersede=supersede).started)


class ReleaseDetail(ApiView):
    @operation("read_release", TAG, RELEASE)
    def get(self, request: Request, project: str, release: int) -> Response:
        """Where it is, what its router and checks say, and what holds it."""
        return answer(RELEASE.dump(release_of(request, project, release)))


class ReleaseCommand(ApiView):
    @operation("command_release", TAG, RELEASE, WAITS, body=COMMAND)
    def post(self, request: Request, project: str, release: int, command: str) -> Response:
        """start, confirm, pause, resume, promote, promote_fully, dismiss, retry, jump_back,
        drop_cohort, abort, rollback or undo.

        Stopping and going back are free to who may roll back; going on may take approval. What
        comes back is the release; of undo the new one, which brings back the version before.
        """
        if command not in commands.TELL:
            raise Http404
        found, body = release_of(request, project, release), COMMAND.read(request.data or {})
        intent = Intent(holder_of(request).actor, body.pop("reason", ""))
        _refuse_other(command, body)
        told = commands.TELL[command](release=found, intent=intent, **body)
        return answer(RELEASE.dump(told))


class ReleaseNotes(ApiView):
    @operation("list_release_notes", TAG, NOTES)
    def get(self, request: Request, project: str, release: int) -> Response:
        """A page of notes, the first ones first."""
        return answer_page(
            request, NOTES, release_of(request, project, release).notes.all(), by="pk"
        )

    @operation("add_release_note", TAG, NOTE, status=201, body=NEW_NOTE)
    def post(self, request: Request, project: str, release: int) -> Response:
        """Write something on the page of a release."""
        note = commands.note(
            release=release_of(request, project, release),
            **NEW_NOTE.read(request.data),
            intent=Intent(holder_of(request).actor),
        )
        return answer(NOTE.dump(note), status=201)


def releases_of(request: Request, project: str) -> QuerySet[Release]:
    rows = selectors.releases_seen(project_of(request, project))
    return rows.filter(environment=holder_of(request).environment)


def release_of(request: Request, project: str, number: int) -> Release:
    return find(releases_of(request, project), pk=number)


def read_draft(request: Request, project: str, shape: Shape) -> tuple[Environment, dict[str, Any]]:
    """Where a body wants a release, and what is left of it."""
    own, body = project_of(request, project), shape.read(request.data)
    place = place_of(own, body.pop("environment"))
    return environment_of(request, project, place.key), body


def _made(release: Release) -> Response:
    where = reverse("api-release", args=[release.project.key, release.pk])
    return answer(RELEASE.dump(release), at=where)


def _refuse_other(command: str, body: dict[str, Any]) -> None:
    taken = taken_by(command)
    problems = {name: _("This command takes no such field.") for name in body if name not in taken}
    problems |= {name: _("This is missing.") for name in taken if taken[name] and name not in body}
    refuse(problems)


def taken_by(command: str) -> dict[str, bool]:
    asked = signature(commands.TELL[command]).parameters.values()
    return {
        one.name: one.default is one.empty for one in asked if one.name not in ("release", "intent")
    }
