from portal.access.models.answer import KeptAnswer
from portal.access.models.environment import (
    Environment,
    EnvironmentChange,
    EnvironmentKind,
    new_epoch,
    new_nonce,
    only_key,
)
from portal.access.models.invitation import Invitation, InvitationState
from portal.access.models.key import ApiKey, KeyKind
from portal.access.models.project import Project
from portal.access.models.role import ActionRule, CustomRole, Grant, Group
from portal.access.models.sponsorship import (
    ApproverConfirmation,
    Sponsorship,
    SponsorshipKind,
)
from portal.access.models.throttle import SignInCounter
from portal.access.models.user import User

# What somebody holds follows from these.
HELD_BY = (ActionRule, CustomRole, Environment, Grant, Group, User)

__all__ = [
    "HELD_BY",
    "ActionRule",
    "ApiKey",
    "ApproverConfirmation",
    "CustomRole",
    "Environment",
    "EnvironmentChange",
    "EnvironmentKind",
    "Grant",
    "Group",
    "Invitation",
    "InvitationState",
    "KeptAnswer",
    "KeyKind",
    "Project",
    "SignInCounter",
    "Sponsorship",
    "SponsorshipKind",
    "User",
    "new_epoch",
    "new_nonce",
    "only_key",
]
