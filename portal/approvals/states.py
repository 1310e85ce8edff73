"""Which documents of approvals the audit trail tells, to be held against the tables."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from portal.approvals.changes import content_sha256, same_document
from portal.approvals.freezes.models import FreezeWindow
from portal.approvals.models import ChangeRequest, Emergency, EmergencyLog, Policy, State, Vote
from portal.approvals.policies.rules import complete
from portal.audit import states
from portal.audit.models import AuditEvent
from portal.audit.states import Document, State as Said, StateKey, StateSource, Step

_OPENED, _EDITED = "change_request.opened", "change_request.edited"
_USED = "break_glass.used"
_CLOSINGS = {
    "change_request.applied": State.APPLIED,
    "change_request.rejected": State.REJECTED,
    "change_request.withdrawn": State.WITHDRAWN,
}
_VOTES = ("change_request.approved", "change_request.rejected")
_WITHDRAWN_VOTE, _ADOPTED = "change_request.vote_withdrawn", "change_request.adopted"
_REQUESTS = {_OPENED, _EDITED, _USED, *_CLOSINGS, *_VOTES, _WITHDRAWN_VOTE, _ADOPTED}
_REVIEWED = "break_glass.reviewed"
_ENDED = {"freeze.cancelled", "freeze.line_lifted"}
_FREEZES = {"freeze.created", "freeze.edited", "freeze.line_stopped", *_ENDED}
_ENDS = {
    "break_glass.confirmed": "confirmed",
    "break_glass.reverted": "reverted",
    "break_glass.not_reverted": "superseded",
}


def register() -> None:
    events = frozenset({"policy.set", "policy.removed"})
    states.register(StateSource("policies", events, _tell, _read))
    for name, told, tell, read in (
        ("change requests", _REQUESTS, _tell_request, _read_requests),
        ("emergencies", {_USED, _REVIEWED, *_ENDS}, _tell_emergency, _read_emergencies),
        ("freezes", _FREEZES, _tell_freeze, _read_freezes),
    ):
        states.register(StateSource(name, frozenset(told), tell, read, is_partial=True))


def _tell(event: AuditEvent) -> Iterator[Said]:
    after = event.after_document
    key = StateKey("policy", event.project, event.environment, "policy", event.subject)
    yield key, None if after is None else complete(after)


def _read() -> Iterator[tuple[StateKey, dict[str, Any]]]:
    for policy in Policy.objects.select_related("environment__project"):
        place = policy.environment
        yield StateKey("policy", place.project.key, place.key, "policy", place.key), policy.document


def _tell_request(event: AuditEvent) -> Iterator[Said]:
    """What became of a request. Which environments it is about may change: they are no key."""
    key = StateKey("change request", event.project, "", "change_request", event.subject)
    yield key, _begun(event) if event.event in (_OPENED, _USED) else _step(event)


def _begun(event: AuditEvent) -> Document:
    """A new request; of older versions' rows, what they say of its content was migrated since."""
    after = event.after_document or {}
    is_emergency = event.event == _USED
    return _written(after, "content_sha256", "owner") | {
        "author": [event.actor_kind, event.actor_id, event.actor],
        "state": str(State.APPLIED if is_emergency else State.OPEN),
        "closed_by": event.actor if is_emergency else "",
        "votes": {},
        "editors": [],
    }


def _step(event: AuditEvent) -> Step:
    return lambda said: _followed(said, event)


def _followed(said: dict[str, Any], event: AuditEvent) -> Document:
    who, name = event.actor, event.event
    if name == _ADOPTED:
        return said | {"owner": who}
    if name == _EDITED:
        return _edited(said, event)
    if name == _WITHDRAWN_VOTE:
        return said | {"votes": {one: it for one, it in said["votes"].items() if one != who}}
    if name in _VOTES:
        verdict = "approve" if name == _VOTES[0] else "reject"
        said = said | {"votes": said["votes"] | {who: verdict}}
    if name in _CLOSINGS:
        said = said | {"state": str(_CLOSINGS[name]), "closed_by": who}
    return said


def _edited(said: dict[str, Any], event: AuditEvent) -> Document:
    """Another content: votes are void. Older rows do not say who is behind a key."""
    after = event.after_document or {}
    editor = after.get("editor", event.actor if event.actor_kind == "user" else None)
    left = {name: one for name, one in said.items() if name != "content_sha256"}
    if editor is None:
        left.pop("editors", None)
    elif "editors" in left:
        left["editors"] = sorted({*left["editors"], editor})
    reopened = {"state": str(State.OPEN), "closed_by": "", "votes": {}}
    return left | reopened | _written(after, "content_sha256")


def _written(after: Document, *names: str) -> dict[str, Any]:
    return {name: after[name] for name in names if name in after}


def _read_requests() -> Iterator[tuple[StateKey, Document]]:
    rows = ChangeRequest.objects.select_related("project", "author_user").prefetch_related(
        "environments", "votes__user", "editors__user"
    )
    for one in rows.order_by("pk").iterator(chunk_size=500):
        yield (
            StateKey("change request", one.project.key, "", "change_request", str(one.pk)),
            {
                "content_sha256": content_sha256(one),
                "owner": one.author_user and one.author_user.username,
                "author": [one.author_kind, one.author_id_text, one.author],
                "state": one.state,
                "closed_by": one.closed_by,
                "votes": {vote.user.username: _verdict(one, vote) for vote in one.votes.all()},
                "editors": sorted(editor.user.username for editor in one.editors.all()),
            },
        )


def _verdict(request: ChangeRequest, vote: Vote) -> str:
    """A vote is about the content that the request has: an edit removes it."""
    return vote.verdict if vote.digest == request.digest else f"{vote.verdict} of something else"


def _tell_emergency(event: AuditEvent) -> Iterator[Said]:
    key = StateKey("emergency change", event.project, "", "change_request", event.subject)
    after = event.after_document or {}
    if event.event == _USED:
        until = states.in_utc(datetime.fromisoformat(str(after["reverts_at"])))
        begun = {"person": event.actor, "reason": event.reason, "is_logged": True}
        yield key, begun | {"reverts_at": until, "ended": "", "confirmed_by": "", "review": None}
    elif event.event == _REVIEWED:
        yield key, lambda said: said | {"review": [event.actor, after.get("review")]}
    else:
        ended = _ENDS[event.event]
        by = event.actor if ended == "confirmed" else ""
        yield key, lambda said: said | {"ended": ended, "confirmed_by": by}


def _read_emergencies() -> Iterator[tuple[StateKey, Document]]:
    """Until when one would have run is of no account once it has ended, nor is its log."""
    logs: dict[int, list[EmergencyLog]] = {}
    for row in EmergencyLog.objects.filter(is_ending=False, emergency__isnull=False):
        logs.setdefault(row.emergency_id or 0, []).append(row)
    rows = Emergency.objects.select_related("request__project").order_by("pk")
    for one in rows.iterator(chunk_size=500):
        request = one.request
        document: dict[str, Any] = {
            "person": one.actor,
            "reason": one.reason,
            "ended": _end_of(one),
            "confirmed_by": one.confirmed_by,
            "review": [one.reviewed_by, one.review] if one.reviewed_at else None,
        }
        if one.is_running:
            document["reverts_at"] = states.in_utc(one.reverts_at)
            document["is_logged"] = _is_logged(request, logs.get(one.pk, []))
        key = StateKey("emergency change", request.project.key, "", "change_request", "")
        yield key._replace(subject=str(request.pk)), document


def _end_of(emergency: Emergency) -> str:
    ended = [name for name in _ENDS.values() if getattr(emergency, f"{name}_at")]
    return " and ".join(ended)


def _is_logged(request: ChangeRequest, rows: Iterable[EmergencyLog]) -> bool:
    """The log of a running emergency change has exactly what its request says of it."""
    asked = [request.before, request.after]
    return [same_document([row.before, row.after], asked) for row in rows] == [True]


def _tell_freeze(event: AuditEvent) -> Iterator[Said]:
    key = StateKey("freeze", event.project, "", "freeze", event.subject)
    yield key, None if event.event in _ENDED else _in_order(event.after_document or {})


def _read_freezes() -> Iterator[tuple[StateKey, Document]]:
    rows = FreezeWindow.objects.filter(cancelled_at=None).select_related("project")
    for one in rows.prefetch_related("environments"):
        key = StateKey("freeze", one.project.key, "", "freeze", str(one.pk))
        yield key, _in_order(one.document)


def _in_order(freeze: Document) -> Document:
    return {**freeze, "environments": sorted(freeze["environments"])}
