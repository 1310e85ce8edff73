"""Access as people look at it: who has what through what, who may do what where, and why."""

from portal.access.overview.matrix import Cell, Line, matrix_of
from portal.access.overview.people import HeldRole, Member, group_roles, members_with_roles
from portal.access.overview.reasons import Explanation, explain
from portal.access.overview.roles import RoleLine, names_of, role_labels, roles_of
from portal.access.overview.sponsors import Sponsored, day, sponsored_members, sponsorship_words

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
