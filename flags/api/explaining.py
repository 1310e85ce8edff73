"""``/api/v1/projects/{project}/environments/{environment}/explain`` and ``…/past``."""

from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from flags import past
from flags.api import explaining_schema as schema
from flags.api.explanations import cause_document, explained_document
from flags.api.scope import configuration_of
from flags.explained import explain_now
from portal.access import authority
from portal.access.api.authentication import holder_of
from portal.access.api.scope import environment_of
from portal.access.permissions import Permission
from portal.lib import clock
from portal.lib.api.views import ApiView
from portal.lib.errors import Invalid

Fields = dict[str, Any]


class Explain(ApiView):
    """Why an application gets what it gets."""

    keeps_answers = False

    @schema.explain
    def post(self, request: Request, project: str, environment: str) -> Response:
        """What the flag answers now to this context, and each step of how it comes to that.

        `answer` is what OFREP answers to a server key. Nothing of the context is kept.
        """
        environment_of(request, project, environment)
        fields = _fields(request, {"flag", "context"})
        configuration = configuration_of(request, project, environment, _flag(fields))
        found = explain_now(configuration, _context(fields), now=clock.now())
        return Response(explained_document(configuration.flag.key, environment, found))


class ExplainPast(ApiView):
    """What an application got."""

    keeps_answers = False

    @schema.explain_past
    def post(self, request: Request, project: str, environment: str) -> Response:
        """What the flag answered to this context at an instant, why, and who had made it so.

        All of it follows from the history; what the history does not tell is not guessed. Nothing
        of the context is kept.
        """
        place = environment_of(request, project, environment)
        authority.require(holder_of(request).actor, Permission.AUDIT_VIEW, project=place.project)
        fields = _fields(request, {"flag", "context", "at"})
        moment = _moment(fields.get("at"))
        answer = past.answer_at(
            project=place.project,
            environment=place.key,
            flag=_flag(fields),
            context=_context(fields),
            moment=moment,
        )
        found = explained_document(_flag(fields), environment, answer.explained)
        causes = [cause_document(cause) for cause in answer.causes]
        return Response(found | {"at": moment.isoformat(), "causes": causes})


def _fields(request: Request, known: set[str]) -> Fields:
    document = request.data
    if not isinstance(document, dict):
        raise Invalid({"": _("Send a JSON object.")})
    unknown = sorted(str(name) for name in set(document) - known)
    if unknown:
        raise Invalid({unknown[0][:100]: _("There is no such field here.")})
    return document


def _flag(fields: Fields) -> str:
    flag = fields.get("flag")
    if not isinstance(flag, str) or not flag:
        raise Invalid({"flag": _("Name the flag by its key.")})
    return flag


def _context(fields: Fields) -> Fields:
    """As strict as evaluators are."""
    context = fields.get("context", {})
    if not isinstance(context, dict):
        raise Invalid({"context": _("Send a JSON object.")})
    if not isinstance(context.get("targetingKey", ""), str):
        raise Invalid({"context.targetingKey": _("Send a text.")})
    return context


def _moment(value: object) -> datetime:
    text = _("Send a time with its zone, such as 2026-03-01T14:03:00Z, that is not to come.")
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        if moment.tzinfo is None:
            raise Invalid({"at": text})
        utc = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid({"at": text}) from None
    if utc > clock.database_now():
        raise Invalid({"at": text})
    return utc
