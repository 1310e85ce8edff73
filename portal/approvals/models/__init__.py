from portal.approvals.models.emergency import Emergency, EmergencyLog
from portal.approvals.models.evidence import Evidence, Result
from portal.approvals.models.freeze import FREEZE_FIELDS, FreezeWindow, InForce
from portal.approvals.models.policy import POLICY_FIELDS, Policy
from portal.approvals.models.request import (
    ChangeRequest,
    Comment,
    Editor,
    State,
    Verdict,
    Vote,
)

__all__ = [
    "FREEZE_FIELDS",
    "POLICY_FIELDS",
    "ChangeRequest",
    "Comment",
    "Editor",
    "Emergency",
    "EmergencyLog",
    "Evidence",
    "FreezeWindow",
    "InForce",
    "Policy",
    "Result",
    "State",
    "Verdict",
    "Vote",
]
