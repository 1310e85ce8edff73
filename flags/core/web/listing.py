from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from urllib.parse import urlencode
from zlib import crc32

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext as _, gettext_lazy
from django.views.decorators.http import require_safe

from flags.core import selectors
from flags.core.bulk import ACTIONS, MOST_FLAGS
from flags.core.searching import FlagFilter, read_sort
from flags.core.selectors import FlagPage, Moved
from flags.core.web import rows
from flags.core.web.rows import Cell, FlagRow
from flags.engine import Kind
from flags.models import Flag
from flags.usage import reading
from flags.usage.lifecycle import Stage
from flags.usage.stages import stages_of
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.web.live import page_in_state
from portal.lib.web.pages import paging, query_with, wants_fragment
from portal.lib.web.spreadsheets import Value, csv_response

SORTS = {
    "name": gettext_lazy("Name"),
    "kind": gettext_lazy("Kind"),
    "owner": gettext_lazy("Owner"),
    "-updated": gettext_lazy("Changed last"),
    "-created": gettext_lazy("Newest"),
    "created": gettext_lazy("Oldest"),
}


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_flags(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The page; with ``seen`` the table alone, or 204 when nothing changed since then.

    Without any filter it is the reader's default view, where they have one.
    """
    if not request.GET and not wants_fragment(request):
        view = selectors.default_view(scope.user, scope.project)
        if view:
            return HttpResponseRedirect(f"?{view.query}&view={view.pk}")
    moved = selectors.moved_in(scope.project)
    state = f"{selectors.state_of(scope.project)}-{crc32(repr(moved).encode())}"
    draw = partial(_context, request, scope, clock.now(), moved)
    return page_in_state(request, ("flags/core/list.html", "flags/core/_list.html"), state, draw)


@require_safe
@project_page(Permission.FLAG_VIEW)
def export_flags(request: HttpRequest, scope: Scope) -> HttpResponse:
    places = scope.environments
    columns = ["key", "name", "kind", "value_type", "owner", "tags", "client_visible", "permanent"]
    columns += ["created_at", "updated_at", "archived_at"]
    columns += [f"{place.key}.{what}" for place in places for what in ("enabled", "serves")]
    flags = selectors.all_flags(scope.project, read_filter(request.GET, scope), now=clock.now())
    return csv_response(f"flags-{scope.project.key}", columns, (_row(flag) for flag in flags))


def _row(flag: Flag) -> list[Value]:
    row: list[Value] = [flag.key, flag.name, flag.kind, flag.value_type, flag.owner]
    row += [" ".join(flag.tags), _yes(flag.client_visible), _yes(flag.permanent)]
    row += [flag.created_at, flag.updated_at, flag.archived_at]
    return [*row, *(text for cell in FlagRow(flag).cells for text in _cell(cell))]


def _cell(cell: Cell) -> Iterator[str]:
    yield _yes(cell.configuration.enabled)
    yield cell.summary


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _context(request: HttpRequest, scope: Scope, now: datetime, moved: Moved) -> dict[str, object]:
    wanted = read_filter(request.GET, scope)
    page = selectors.list_flags(scope.project, wanted, now=now)
    places = scope.environments
    marks, unused = rows.read_marks(places, page.flags)
    return {
        "scope": scope,
        "wanted": wanted,
        "query": query_with(request.GET),
        **paging(request, page.page),
        "page": page,
        "rows": _rows(scope, page, now, marks, moved),
        "environments": places,
        "no_evaluator": unused,
        "most": MOST_FLAGS,
        "may_toggle": any(scope.allows(Permission.FLAG_TOGGLE, place) for place in places),
        **({} if wants_fragment(request) else _choices(request, scope, wanted, places)),
    }


def _rows(
    scope: Scope, page: FlagPage, now: datetime, marks: rows.Marks, moved: Moved
) -> list[FlagRow]:
    seen = stages_of(scope.project, page.flags, now=now)
    counts = reading.hourly_counts(page.flags, now=now)
    favourites = selectors.favourites_of(scope.user, scope.project)
    return [
        FlagRow(
            flag,
            seen[flag.pk],
            counts.get(flag.pk),
            favourite=flag.pk in favourites,
            marks=marks,
            moved=moved,
        )
        for flag in page.flags
    ]


def _choices(
    request: HttpRequest, scope: Scope, wanted: FlagFilter, places: Sequence[Environment]
) -> dict[str, object]:
    views = list(selectors.views_of(scope.user, scope.project))
    columns = [one for one in wanted.sort if one != "favourite"]
    place = places[-1] if places else None
    return {
        "stages": [(stage.value, stage.label) for stage in Stage],
        "unknown_place": place,
        "unknown_count": reading.unknown_flags(place).count() if place else 0,
        "kinds": [(kind.value, kind.value.replace("_", " ")) for kind in Kind],
        "tags": selectors.known_tags(scope.project),
        "owners": [(MINE, _("Mine")), *((o, o) for o in selectors.known_owners(scope.project))],
        "owner": request.GET.get("owner", ""),
        "places": [(one, request.GET.get(f"in.{one.key}", "")) for one in places],
        "sorts": SORTS.items(),
        "favourites_first": "favourite" in wanted.sort,
        "sorted_by": [*columns, "", ""][:2],
        "views": views,
        "view": next((one for one in views if str(one.pk) == request.GET.get("view")), None),
        "lasting": lasting(request.GET),
        "actions": _actions(scope, places),
    }


def _actions(scope: Scope, places: Sequence[Environment]) -> list[tuple[str, str]]:
    offered = []
    for name, action in ACTIONS.items():
        if action.needs == "environment":
            text = _("{action} in {environment}")
            offered += [
                (f"{name}:{place.key}", text.format(action=action.label, environment=place.name))
                for place in places
                if scope.allows(action.permission, place)
            ]
        elif action.permission in scope.permissions:
            offered.append((name, str(action.label)))
    return offered


MINE = "@me"
STATES = {"on": True, "off": False}
# What of an address says what is shown; the rest says where somebody is in it.
_PASSING = ("seen", "after", "before", "view", "all")


def read_filter(query: QueryDict, scope: Scope) -> FlagFilter:
    """The filter in an address; unknown parameters are left out."""
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
    pairs = [(name, value) for name, values in query.lists() for value in values if value]
    return urlencode([pair for pair in pairs if pair[0] not in _PASSING])


def _owners(owner: str, scope: Scope) -> tuple[str, ...]:
    if owner == MINE:
        return selectors.names_of(scope.user, scope.project)
    return (owner,) if owner else ()


def _states(query: QueryDict, scope: Scope) -> tuple[tuple[str, bool], ...]:
    places = scope.environments
    asked = {place.key: query.get(f"in.{place.key}", "") for place in places}
    return tuple((key, STATES[state]) for key, state in asked.items() if state in STATES)
