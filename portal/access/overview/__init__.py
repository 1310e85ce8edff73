"""Access as people look at it: who has what through what, who may do what where, and why."""

from portal.access.overview.people import (
    HeldRole,
    Member,
    RoleLine,
    Sponsored,
    day,
    group_roles,
    members_with_roles,
    names_of,
    role_labels,
    roles_of,
    sponsored_members,
    sponsorship_words,
)
from portal.access.overview.reasons import Cell, Explanation, Line, explain, matrix_of

__all__ = [
    "Cell",
    "Explanation",
    "HeldRole",
    "Line",
    "Member",
    "RoleLine",
    "Sponsored",
    "day",
    "explain",
    "group_roles",
    "matrix_of",
    "members_with_roles",
    "names_of",
    "role_labels",
    "roles_of",
    "sponsored_members",
    "sponsorship_words",
]
