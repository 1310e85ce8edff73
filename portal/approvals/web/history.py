from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.approvals.descriptions import role_label
from portal.approvals.models import ChangeRequest
from portal.audit import selectors as audit
from portal.audit.models import AuditEvent
from portal.lib import subjects

MOST = 200
# On the page of a request, where everything is about it.
EVENT_WORDS = {
    "change_request.opened": gettext_lazy("asked for this"),
    "change_request.edited": gettext_lazy("edited it"),
    "change_request.approved": gettext_lazy("approved"),
    "change_request.rejected": gettext_lazy("rejected it"),
    "change_request.vote_withdrawn": gettext_lazy("took the vote back"),
    "change_request.commented": gettext_lazy("commented"),
    "change_request.applied": gettext_lazy("applied it"),
    "change_request.withdrawn": gettext_lazy("withdrew it"),
    "break_glass.used": gettext_lazy("broke the glass and made the change at once"),
    "break_glass.confirmed": gettext_lazy("confirmed the emergency change: it stays"),
    "break_glass.reverted": gettext_lazy("reverted the emergency change"),
    "break_glass.not_reverted": gettext_lazy(
        "found nothing left of the emergency change to revert"
    ),
    "break_glass.stuck": gettext_lazy("could not revert the emergency change yet"),
    "break_glass.reviewed": gettext_lazy("reviewed the emergency change"),
    "evidence.posted": gettext_lazy("posted evidence"),
    "change_request.held": gettext_lazy("put it off until after the freeze"),
    "change_request.not_applied": gettext_lazy("could not apply it"),
}
_VOTES = ("change_request.approved", "change_request.rejected")


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """One event: its words, what was said, the roles of a vote, and whether an edit voided it."""

    event: AuditEvent
    words: str
    text: str
    roles: str
    void: bool


def lines_of(request: ChangeRequest) -> list[RequestEvent]:
    """The latest 200 events of a request and of the evidence about its content, oldest first."""
    events = list(_events(request, "change_request", str(request.pk)))
    for digest in filter(None, {request.digest, request.artefact}):
        events += _events(request, "evidence", digest)
    events.sort(key=lambda event: event.sequence)
    edits = [event.sequence for event in events if event.event == "change_request.edited"]
    last_edit = max(edits, default=0)
    return [_line(event, last_edit) for event in events[-MOST:]]


def comments_of(request: ChangeRequest) -> list[RequestEvent]:
    """What was said, for those who may not read the history."""
    return [
        RequestEvent(AuditEvent(actor=one.author, at=one.at), _("commented"), one.text, "", False)
        for one in reversed(request.comments.order_by("-pk")[:MOST])
    ]


def _events(request: ChangeRequest, kind: str, subject: str) -> list[AuditEvent]:
    found = audit.events_of(request.project, subject_kind=kind, subject=subject)
    return list(found[:MOST])


def _line(event: AuditEvent, last_edit: int) -> RequestEvent:
    after = event.after_document or {}
    words = str(EVENT_WORDS.get(event.event) or subjects.plain(event.event))
    if event.event == "evidence.posted":
        words = f"{words}: {after.get('kind')} {after.get('result')}"
    roles = after.get("roles")
    return RequestEvent(
        event=event,
        words=words,
        text=str(after.get("text") or after.get("review") or event.reason),
        roles=", ".join(role_label(str(name)) for name in roles) if isinstance(roles, list) else "",
        void=event.event in _VOTES and event.sequence < last_edit,
    )
