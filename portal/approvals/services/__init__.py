from portal.approvals.notifications import remind
from portal.approvals.services.emergencies import (
    confirm_emergency,
    revert_due,
    revert_emergency,
    review_emergency,
)
from portal.approvals.services.evidence import NotByThis, post_evidence
from portal.approvals.services.requests import (
    comment_on_request,
    gated,
    renew_request,
    withdraw_request,
)
from portal.approvals.services.rights import edit_role, reserve
from portal.approvals.services.votes import (
    Voted,
    adopt_request,
    apply_request,
    apply_waiting,
    cast_vote,
    withdraw_vote,
)

__all__ = [
    "NotByThis",
    "Voted",
    "adopt_request",
    "apply_request",
    "apply_waiting",
    "cast_vote",
    "comment_on_request",
    "confirm_emergency",
    "edit_role",
    "gated",
    "post_evidence",
    "remind",
    "renew_request",
    "reserve",
    "revert_due",
    "revert_emergency",
    "review_emergency",
    "withdraw_request",
    "withdraw_vote",
]
