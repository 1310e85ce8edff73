"""The list of flags: one row per flag, every environment in it."""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from flags import selectors
from flags.engine import Kind
from flags.selectors import FlagFilter, FlagPage
from flags.usage import reading
from flags.usage.lifecycle import Stage
from flags.usage.standing import standings_of
from flags.web.rows import FlagRow
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.htmx import render_page


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_flags(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The page; with ``seen`` the table alone, or 204 when nothing changed since then."""
    state = selectors.state_of(scope.project)
    if request.GET.get("seen") == state:
        return HttpResponse(status=204)
    context = _context(request, scope, state, clock.now())
    return render_page(request, "flags/list.html", "flags/_list.html", context)


def _context(request: HttpRequest, scope: Scope, state: str, now: datetime) -> dict[str, object]:
    wanted = FlagFilter(
        search=request.GET.get("search", "").strip(),
        kind=request.GET.get("kind", ""),
        tag=request.GET.get("tag", ""),
        archived=request.GET.get("archived") == "1",
        stage=request.GET.get("stage", ""),
        after=request.GET.get("after", ""),
    )
    page = selectors.list_flags(scope.project, wanted, now=now)
    place = scope.project.environments.last()
    return {
        "scope": scope,
        "wanted": wanted,
        "query": _query(request),
        "first_query": _query(request, after=None),
        "next_query": page.next_after and _query(request, after=page.next_after),
        "page": page,
        "rows": _rows(scope, page, now),
        "environments": scope.project.environments.all(),
        "kinds": [(kind.value, kind.value.replace("_", " ")) for kind in Kind],
        "tags": selectors.known_tags(scope.project),
        "stages": [(stage.value, stage.label) for stage in Stage],
        "unknown_place": place,
        "unknown_count": reading.unknown_flags(place).count() if place else 0,
        "state": state,
    }


def _rows(scope: Scope, page: FlagPage, now: datetime) -> list[FlagRow]:
    seen = standings_of(scope.project, page.flags, now=now)
    counts = reading.hourly_counts(page.flags, now=now)
    return [FlagRow(flag, seen[flag.pk], counts.get(flag.pk)) for flag in page.flags]


def _query(request: HttpRequest, **changes: str | None) -> str:
    """The page's own query with changes; None drops a name. Filters survive every link."""
    query = request.GET.copy()
    for name, value in {"seen": None, **changes}.items():
        if value is None:
            query.pop(name, None)
        else:
            query[name] = value
    return query.urlencode()
