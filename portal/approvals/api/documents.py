"""Change requests and evidence as the API answers them."""

from portal.access.models import Environment
from portal.approvals import oneness
from portal.approvals.errors import Waiting
from portal.approvals.handlers import outcomes_of
from portal.approvals.models import ChangeRequest, Comment, Evidence, Verdict, Vote
from portal.approvals.selectors import Assessment, assess_request
from portal.approvals.wording import missing_in
from portal.lib import clock


def request_document(request: ChangeRequest) -> dict[str, object]:
    """A request in a list."""
    return {
        "id": request.pk,
        "address": Waiting(request).address,
        "state": request.state,
        "title": request.title,
        "kind": request.kind,
        "subject_kind": request.subject_kind,
        "subject": request.subject,
        "environments": [environment.key for environment in request.environments.all()],
        "author": request.author,
        "reason": request.reason,
        "revision": request.revision,
        "digest": request.digest,
        "artefact": request.artefact,
        "apply_when_approved": request.apply_when_approved,
        "created_at": request.created_at.isoformat(),
        "revised_at": request.revised_at.isoformat(),
        "closed_at": request.closed_at.isoformat() if request.closed_at else None,
        "closed_by": request.closed_by,
    }


def full_document(request: ChangeRequest, environment: Environment) -> dict[str, object]:
    """A request with its content, its votes, and what it still lacks.

    What an import wants in another environment is left out: of that one it is the content; and so
    is who gets what there.
    """
    elsewhere = request.subject_kind == "import" and request.subject != environment.key
    assessments = assess_request(request, now=clock.database_now()) if request.is_open else []
    votes = request.votes.select_related("user")
    return {
        **request_document(request),
        "base_version": request.base_version,
        "before": {} if elsewhere else request.before,
        "after": {} if elsewhere else request.after,
        "words": request.words,
        "outcomes": [
            {"title": one.title, "before": list(one.before), "after": list(one.after)}
            for one in outcomes_of(request)
            if one.environment in ("", environment.key)
        ],
        "votes": [
            {
                "person": vote.user.username,
                "verdict": vote.verdict,
                "digest": vote.digest,
                "roles": vote.names,
                "comment": vote.comment,
                "at": vote.at.isoformat(),
                "not_counted": [
                    f"{one.environment.key}: {why}"
                    for one in assessments
                    if (why := _not_counted(one, vote))
                ],
            }
            for vote in votes
        ],
        "missing": missing_in(request, assessments) if request.is_open else [],
    }


def _not_counted(found: Assessment, vote: Vote) -> str:
    if vote.verdict != Verdict.APPROVE or vote.user_id in found.standing.counted:
        return ""
    return oneness.why_not_counted(found, vote.user_id)


def evidence_document(evidence: Evidence) -> dict[str, object]:
    return {
        "id": evidence.pk,
        "digest": evidence.digest,
        "kind": evidence.kind,
        "result": evidence.result,
        "detail": evidence.detail,
        "posted_by": evidence.posted_by,
        "posted_at": evidence.posted_at.isoformat(),
        "expires_at": evidence.expires_at.isoformat(),
    }


def comment_document(comment: Comment) -> dict[str, object]:
    return {
        "id": comment.pk,
        "author": comment.author,
        "text": comment.text,
        "at": comment.at.isoformat(),
    }
