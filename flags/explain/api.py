"""``/api/v1/projects/{project}/environments/{environment}/explain`` and ``…/past``."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _, gettext_lazy
from rest_framework.request import Request
from rest_framework.response import Response

from flags.core.api.scope import configuration_of
from flags.engine import dump_condition
from flags.engine.tracing import Trace
from flags.explain import rebuilding
from flags.explain.answers import ExplainedAnswer, explain_now
from portal.access.api.scope import allowed, environment_of
from portal.access.permissions import Permission
from portal.lib import clock
from portal.lib.api.endpoints import answer
from portal.lib.api.shapes import (
    ANY,
    INSTANT,
    MOMENT,
    OBJECT,
    OBJECTS,
    SWITCH,
    TEXT,
    TEXTS,
    WHOLE,
    Shape,
    reader,
)
from portal.lib.api.views import PLAIN, ApiView, operation
from portal.lib.documents import DocumentError, Problem
from portal.lib.errors import Invalid

_TAG = "explanations"
_NOT_TO_COME = gettext_lazy(
    "Send a time with its zone, such as 2026-03-01T14:03:00Z, that is not to come."
)


def _key(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _context(value: object) -> dict[str, Any] | None:
    """As strict as evaluators are."""
    if isinstance(value, dict) and not isinstance(value.get("targetingKey", ""), str):
        raise DocumentError([Problem("targetingKey", _("Send a text."))])
    return value if isinstance(value, dict) else None


def _instant(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


QUESTION = Shape(
    "Question",
    {
        "flag": replace(TEXT, read=reader(_key, gettext_lazy("Name the flag by its key.")))(
            "Its key."
        ),
        "context": replace(OBJECT, read=reader(_context, gettext_lazy("Send a JSON object.")))(
            "As applications send it: `targetingKey` and attributes.", optional=True
        ),
    },
)
PAST_QUESTION = QUESTION.but(
    "PastQuestion",
    at=replace(MOMENT, read=reader(_instant, _NOT_TO_COME))("The instant, with its zone."),
)


def _trace(trace: Trace) -> dict[str, Any]:
    return {
        "kind": trace.kind,
        "matched": trace.matched,
        "condition": dump_condition(trace.condition),
        "saw": trace.saw,
        "problem": trace.problem,
        "parts": [_trace(one) for one in trace.parts],
    }


PLACE = Shape(
    "Place",
    {
        "by": TEXTS("Attributes."),
        "seed": TEXT(),
        "unit": TEXT("null where the context has none.", nullable=True),
        "point": WHOLE(nullable=True),
        "total": WHOLE(),
        "parts": OBJECTS(
            "Of each: `name`, `from` and `to`.",
            of=lambda one: [
                {"name": name, "from": start, "to": end} for name, start, end in one.parts
            ],
        ),
        "chosen": TEXT("The part that the point lies in.", nullable=True),
    },
    "Where the unit lies on a line of `total` points, and what else lies there.",
)
STEP_RULE = Shape("StepRule", {"id": TEXT(), "name": TEXT()})
STEP_RESULT = Shape(
    "StepResult",
    {
        "variant": TEXT(nullable=True),
        "value": ANY(nullable=True),
        "reason": TEXT(),
        "error": TEXT(of=lambda result: result.error_details or ""),
    },
)
STEP = Shape(
    "ExplainedStep",
    {
        "kind": TEXT(enum=["disabled", "prerequisite", "target", "rule", "fallthrough"]),
        "reached": SWITCH("Whether the evaluation came to it."),
        "rule": STEP_RULE.one(nullable=True),
        "result": STEP_RESULT.one("null where it does not apply.", nullable=True),
        "condition": OBJECT(
            "`matched`, what it `saw`, the condition, and the same of its `parts`.",
            of=lambda step: step.condition and _trace(step.condition),
            nullable=True,
        ),
        "overrides": OBJECTS(of=lambda step: [_trace(one) for one in step.overrides]),
        "group": PLACE.one(nullable=True),
        "audience": PLACE.one(nullable=True),
        "split": PLACE.one(nullable=True),
    },
)


def _steps(found: ExplainedAnswer) -> Any:
    return found.explanation.steps if found.explanation else ()


EXPLAINED = Shape(
    "ExplainedAnswer",
    {
        "flag": TEXT(),
        "environment": TEXT(),
        "status": WHOLE("Of OFREP's answer."),
        "answer": OBJECT("The body of OFREP's answer to a server key.", of="body"),
        "steps": STEP.many(of=_steps),
    },
)
CAUSE_ACTOR = Shape("CauseActor", {"kind": TEXT(of="actor_kind"), "name": TEXT(of="actor")})
APPROVAL = Shape(
    "CauseApproval",
    {
        "change_request": WHOLE(of="request"),
        "is_emergency": SWITCH("Glass was broken for it."),
        "approved_by": OBJECTS("`person` and `roles` of that time.", of="people"),
        "sequence": WHOLE("The record that says so.", of="row.sequence"),
    },
)
CAUSE = Shape(
    "Cause",
    {
        "kind": TEXT(),
        "key": TEXT(),
        "sequence": WHOLE(of="row.sequence"),
        "at": INSTANT(of="row.at"),
        "event": TEXT(of="row.event"),
        "actor": CAUSE_ACTOR.one(of="row"),
        "environment": TEXT(of="row.environment"),
        "reason": TEXT(of="row.reason"),
        "approval": APPROVAL.one(nullable=True),
    },
    "The record that made a flag, a segment or an exclusion group what it was.",
)
PAST_ANSWER = EXPLAINED.but("PastAnswer", at=MOMENT(), causes=CAUSE.many("The last change first."))


class Explain(ApiView):
    """Why an application gets what it gets."""

    keeps_answers = False

    @operation("explain_flag", _TAG, EXPLAINED, body=QUESTION)
    def post(self, request: Request, project: str, environment: str) -> Response:
        """What the flag answers now to this context, and each step of how it comes to that.

        `answer` is what OFREP answers to a server key. Nothing of the context is kept.
        """
        environment_of(request, project, environment)
        asked = QUESTION.read(request.data)
        configuration = configuration_of(request, project, environment, asked["flag"])
        found = explain_now(configuration, asked.get("context", {}), now=clock.now())
        return answer(EXPLAINED.dump(found, flag=configuration.flag.key, environment=environment))


class ExplainPast(ApiView):
    """What an application got."""

    keeps_answers = False

    @operation(
        "explain_past",
        _TAG,
        PAST_ANSWER,
        (410, PLAIN, "The history was purged, or begins too late to say."),
        body=PAST_QUESTION,
    )
    def post(self, request: Request, project: str, environment: str) -> Response:
        """What the flag answered to this context at an instant, why, and who had made it so.

        All of it follows from the history; what the history does not tell is not guessed. Nothing
        of the context is kept.
        """
        place = environment_of(request, project, environment)
        allowed(request, project, Permission.AUDIT_VIEW)
        asked = PAST_QUESTION.read(request.data)
        if asked["at"] > clock.database_now():
            raise Invalid({"at": str(_NOT_TO_COME)})
        found = rebuilding.answer_at(
            project=place.project,
            environment=place.key,
            flag=asked["flag"],
            context=asked.get("context", {}),
            moment=asked["at"],
        )
        document = PAST_ANSWER.dump(
            found.explained,
            flag=asked["flag"],
            environment=environment,
            at=asked["at"].isoformat(),
            causes=[CAUSE.dump(cause) for cause in found.causes],
        )
        return answer(document)
