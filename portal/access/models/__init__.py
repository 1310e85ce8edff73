from portal.access.models.environment import (
    Environment,
    EnvironmentChange,
    EnvironmentKind,
    Project,
    new_epoch,
    new_nonce,
    only_key,
)
from portal.access.models.invitation import (
    ApproverConfirmation,
    Invitation,
    InvitationState,
    Sponsorship,
    SponsorshipKind,
)
from portal.access.models.key import ApiKey, KeptAnswer, KeyKind
from portal.access.models.role import ActionRule, CustomRole, Grant, Group
from portal.access.models.user import SignInCounter, User

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
