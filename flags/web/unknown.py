"""Names that applications ask for and that no flag has: to be created, mended or ignored."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from flags import services
from flags.models import Flag, UnknownFlag
from flags.usage import reading
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib.intent import Intent
from portal.lib.paging import page_of
from portal.lib.web.lists import asked_places, paging, query_with
from portal.lib.web.live import page_in_state
from portal.lib.web.pages import redirect_to


@dataclass(frozen=True, slots=True)
class Line:
    """A name that was asked for; ``flag`` is the one of that name, hidden or archived."""

    row: UnknownFlag
    flag: Flag | None


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_unknown(request: HttpRequest, scope: Scope, environment: str) -> HttpResponse:
    """The page; with ``seen`` 204 when nothing changed."""
    place = scope.environment(environment)
    ignored = request.GET.get("ignored") == "1"
    rows = reading.unknown_flags(place, ignored=ignored)
    others = reading.other_unknown(place)

    def context() -> dict[str, object]:
        after, before = asked_places(request)
        page = page_of(rows.order_by("-last_at", "pk"), after=after, before=before)
        return {
            "scope": scope,
            "environment": place,
            "environments": scope.project.environments.all(),
            "ignored": ignored,
            "lines": _lines(place, page.rows),
            "others": others,
            "here": query_with(request.GET),
            **paging(request, page),
        }

    templates = ("flags/unknown.html", "flags/_unknown.html")
    return page_in_state(request, templates, _state(rows, others), context)


@require_POST
@project_page(Permission.FLAG_EDIT)
def ignore_unknown(request: HttpRequest, scope: Scope, environment: str) -> HttpResponse:
    """Set a name aside, or with ``watch`` look at it again."""
    place, name = scope.environment(environment), request.POST.get("name", "")
    ignored = request.POST.get("watch") != "1"
    services.ignore_unknown_flag(
        environment=place, name=name, ignored=ignored, intent=Intent(scope.actor)
    )
    text = _("{name} is ignored.") if ignored else _("{name} is watched again.")
    address = reverse("unknown-flag-list", args=[scope.project.key, place.key])
    return redirect_to(request, address, text.format(name=name))


def _state(rows: QuerySet[UnknownFlag], others: int) -> str:
    """Changes whenever anything is asked for in vain."""
    known = rows.aggregate(names=Count("pk"), asked=Sum("count"))
    return f"{known['names']}-{known['asked'] or 0}-{others}"


def _lines(place: Environment, rows: Iterable[UnknownFlag]) -> list[Line]:
    """Each name with its flag. One that was created since, and is served, needs nobody any more."""
    found = list(rows)
    names = [row.name for row in found]
    flags = {one.key: one for one in Flag.objects.filter(project=place.project, key__in=names)}
    lines = [Line(row, flags.get(row.name)) for row in found]
    return [line for line in lines if not _is_served(line)]


def _is_served(line: Line) -> bool:
    flag = line.flag
    if flag is None or flag.is_archived:
        return False
    return flag.client_visible or not line.row.by_client
