"""``/api/v1/projects/{project}/history``: the project's part of the audit trail."""

from dataclasses import replace

from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.scope import allowed, allowed_here, environment_of
from portal.access.permissions import Permission
from portal.audit import history
from portal.audit.filters import PERIODS, parse
from portal.audit.models import AuditEvent
from portal.lib import clock, subjects
from portal.lib.api.endpoints import limit_of, listing, text, whole_cursor
from portal.lib.api.shapes import INSTANT, OBJECT, SWITCH, TEXT, TEXTS, WHOLE, PageShape, Shape
from portal.lib.api.views import ApiView, operation, query
from portal.lib.errors import Invalid

ACTOR = Shape(
    "HistoryActor",
    {
        "kind": TEXT(of="actor_kind", enum=["user", "key", "system"]),
        "id": TEXT("Of the user or key; empty for the product itself.", of="actor_id"),
        "name": TEXT(of="actor"),
    },
)
SUBJECT = Shape(
    "HistorySubject",
    {
        "kind": TEXT("flag, key, user, environment, project …", of="subject_kind"),
        "name": TEXT(of="subject"),
    },
)
WHOLE_SUBJECT = Shape("HistoryWhole", {"kind": TEXT(of="part_of_kind"), "name": TEXT(of="part_of")})
EVENT = Shape(
    "HistoryEvent",
    {
        "sequence": WHOLE("Its place in the chain."),
        "at": INSTANT("UTC."),
        "event": TEXT("subject.verb, as in flag.enabled."),
        "words": TEXT(
            "The event in words, after the actor's name.",
            of=lambda event: subjects.headline(event.event),
        ),
        "actor": ACTOR.one(of=lambda event: event),
        "project": TEXT(),
        "environment": TEXT("Empty where the event is about none."),
        "subject": SUBJECT.one(of=lambda event: event),
        "version": WHOLE("The environment's, then.", nullable=True),
        "before": OBJECT(nullable=True),
        "after": OBJECT(nullable=True),
        "reason": TEXT(),
        "requested_by": TEXT("Who asked for it, where that was somebody else than the actor."),
        "approved_by": TEXTS("Who approved it, by name.", of="approvers"),
        "change_request": WHOLE("By which it was allowed, or its emergency's.", nullable=True),
        "part_of": WHOLE_SUBJECT.one(
            "What the subject is about; null where nothing.",
            of=lambda event: event if event.part_of else None,
            nullable=True,
        ),
        "request_id": TEXT(),
        "ip": TEXT(),
        "user_agent": TEXT(),
        "previous_hash": TEXT(),
        "hash": TEXT(),
    },
    "One record of the audit trail.",
)
EVENTS = PageShape(
    "HistoryPage",
    "events",
    EVENT.many(),
    count=WHOLE("How many records match, counted up to 10,000 (1,000 with `text`)."),
    count_is_exact=SWITCH("False: there are more than that."),
)


class History(ApiView):
    @operation(
        "list_history",
        "history",
        EVENTS,
        parameters=[
            query("environment", "Its key."),
            query(
                "subject",
                "The key or name of what the events are about, such as a flag's key; what is part"
                " of it, such as change requests about it, is told as well.",
            ),
            query("kind", "The kind of that subject, such as flag."),
            query("actor", "The name of who carried it out."),
            query("requested_by", "The name of who asked for it."),
            query("approved_by", "The name of one of those who approved it."),
            query("event", "Such as flag.enabled."),
            query("period", "Until now; instead of from and to.", enum=list(PERIODS)),
            query("from", "A date, or a date and time, in ISO 8601."),
            query("to", "As from; a date alone counts in full."),
            query("zone", "The time zone of from and to where they name none; else UTC."),
            query("text", "Words in the reason, the subject, the actor or the event."),
            query("request", "The id of the request that the events came from."),
        ],
    )
    def get(self, request: Request, project: str) -> Response:
        """A page of the records of the key's environment and of the project, newest first.

        Documents of the project's records are reduced to what they say of the key's environment.
        Records come in order of `sequence`. `next` continues with earlier ones, and does so
        unmoved by records that are added meanwhile.
        """
        own = allowed_here(request, project, Permission.FLAG_VIEW)
        allowed(request, project, Permission.AUDIT_VIEW)
        asked = text(request, "environment")
        if own.project.environments.filter(key=asked).exists():
            environment_of(request, project, asked)
        wanted = parse(request.query_params.dict(), project=project, now=clock.now())
        cursor, size = request.query_params.get("cursor"), limit_of(request)
        before = whole_cursor(cursor) if cursor else None
        if wanted.problems:
            raise Invalid(wanted.problems)
        filters = replace(wanted.filters, environments=("", own.key))
        page = history.page(filters, before=before, size=size)
        count = history.count(filters)
        return listing(
            request,
            EVENTS,
            [event_document(event, own.key) for event in history.whole(page.events)],
            str(page.earlier) if page.earlier else None,
            count=count.number,
            count_is_exact=count.is_exact,
        )


def _reduced(
    event: AuditEvent, document: dict[str, object] | None, environment: str
) -> dict[str, object] | None:
    """A document without what it says of other environments than this one.

    An import wants something of one environment; where several have a say in it the row names
    none of them, and it may be another one.
    """
    if document is None:
        return None
    found = dict(document)
    places, wanted = found.get("environments"), found.get("to")
    if isinstance(places, dict):
        found["environments"] = {key: one for key, one in places.items() if key == environment}
    if not event.environment and isinstance(wanted, dict):
        found["to"] = {name: one for name, one in wanted.items() if name != "plan"}
    return found


def event_document(event: AuditEvent, environment: str) -> dict[str, object]:
    return EVENT.dump(
        event,
        before=_reduced(event, event.before_document, environment),
        after=_reduced(event, event.after_document, environment),
    )
