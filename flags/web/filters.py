"""The filters of the list of flags, as they stand in its address."""

from urllib.parse import urlencode

from django.http import QueryDict

from flags import selectors
from flags.searching import FlagFilter, read_sort
from portal.access.models import Environment
from portal.access.web.scope import Scope

MINE = "@me"
STATES = {"on": True, "off": False}
# What of an address says what is shown; the rest says where somebody is in it.
_PASSING = ("seen", "after", "before", "view", "all")


def read_filter(query: QueryDict, scope: Scope) -> FlagFilter:
    """The filter in an address; what is none of it is left out."""
    return FlagFilter(
        search=query.get("search", "").strip()[:200],
        kind=query.get("kind", ""),
        tags=tuple(filter(None, query.getlist("tag"))),
        owners=_owners(query.get("owner", ""), scope),
        states=_states(query, scope),
        favourite=query.get("favourite") == "1",
        archived=query.get("archived") == "1",
        stage=query.get("stage", ""),
        sort=read_sort(",".join(query.getlist("sort"))),
        reader=scope.user.pk,
        after=query.get("after", ""),
        before=query.get("before", ""),
    )


def lasting(query: QueryDict) -> str:
    """What of an address is worth a name: its filters, without the empty ones."""
    pairs = [(name, value) for name, values in query.lists() for value in values if value]
    return urlencode([pair for pair in pairs if pair[0] not in _PASSING])


def _owners(owner: str, scope: Scope) -> tuple[str, ...]:
    if owner == MINE:
        return selectors.names_of(scope.user, scope.project)
    return (owner,) if owner else ()


def _states(query: QueryDict, scope: Scope) -> tuple[tuple[str, bool], ...]:
    asked = {place.key: query.get(f"in.{place.key}", "") for place in _places(scope)}
    return tuple((key, STATES[state]) for key, state in asked.items() if state in STATES)


def _places(scope: Scope) -> list[Environment]:
    return list(scope.project.environments.all())
