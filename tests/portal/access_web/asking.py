"""Who is asked, where it is not everybody: enough to tell the right that a page takes."""

from zlib import crc32

import pytest
from django.db import connection

from portal.access.permissions import BUILTIN_ROLES, Permission
from tests.portal.access_web.table import (
    CLOSED,
    FEW,
    ON_POSTGRESQL,
    PEOPLE,
    ROLES,
    Expected,
    Row,
)

_ALWAYS = ("anonymous", "stranger", "elsewhere", "root")


class Asking:
    """Which people; all of them where the run is ``make test-all``."""

    def __init__(self, *, whole: bool, vendor: str) -> None:
        self.whole = whole
        self.smoke = not whole and vendor != "sqlite"

    def people(self, name: str, method: str, row: Row) -> tuple[str, ...]:
        taken = method in ("GET", "POST") and row.expected(method) != CLOSED
        if self.whole:
            return PEOPLE if taken else FEW
        turn = turn_of(name, method)
        if self.smoke:  # one visit to each page: no database changes who may
            return (ON_POSTGRESQL[turn % len(ON_POSTGRESQL)],) if taken else ()
        if taken:
            return (*_ALWAYS, *telling(row.expected(method), turn))
        somebody = PEOPLE[turn % len(PEOPLE)]
        return ("anonymous", somebody) if method == "DELETE" else (somebody,)


@pytest.fixture
def asking(whole: bool) -> Asking:
    return Asking(whole=whole, vendor=connection.vendor)


def turn_of(*of: str) -> int:
    """A number that stays the same, and lets everybody have their turn somewhere."""
    return crc32(" ".join(of).encode())


def telling(expected: Expected, turn: int) -> set[str]:
    """One role for each answer, and those that another right than this would answer otherwise."""
    first = turn % len(ROLES)
    roles = ROLES[first:] + ROLES[:first]
    found = set({expected[role]: role for role in roles}.values())
    while unseen := [told for told in _otherwise(expected) if not told & found]:
        found.add(max(roles, key=lambda role: sum(role in told for told in unseen)))
    return found


def _otherwise(expected: Expected) -> list[set[str]]:
    """For each right: who would be let in, or refused, if the page took that one."""
    refused = {role for role in ROLES if expected[role] == 403}
    rights = [{role for role in ROLES if right in BUILTIN_ROLES[role]} for right in Permission]
    return [told for having in rights if (told := refused ^ (set(ROLES) - having))]
