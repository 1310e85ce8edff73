from portal.access.models.environment import (
    Environment,
    EnvironmentChange,
    EnvironmentKind,
    new_epoch,
)
from portal.access.models.key import ApiKey, KeyKind
from portal.access.models.member import Membership, User
from portal.access.models.project import Project
from portal.access.models.throttle import SignInCounter

__all__ = [
    "ApiKey",
    "Environment",
    "EnvironmentChange",
    "EnvironmentKind",
    "KeyKind",
    "Membership",
    "Project",
    "SignInCounter",
    "User",
    "new_epoch",
]
