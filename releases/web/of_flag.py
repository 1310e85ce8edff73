"""What the page of a flag shows of releases: one that moves it, or the way to roll it out."""

from urllib.parse import urlencode

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.errors import Forbidden
from releases.core import selectors
from releases.core.models import MOVING, State
from releases.web.listing import beat_of
from releases.web.showing import ReleaseView


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_panel(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    """The panel; with ``seen`` 204 while it looks the same."""
    place, now = scope.environment(environment), clock.now()
    flag = scope.project.flags.filter(key=key).first()
    if flag is None:
        raise Http404(key)
    alive = Q(state__in=(*MOVING, State.PLANNED)) | Q(state=State.SUCCEEDED, watch_until__gt=now)
    about = Q(flag=flag) | Q(router__flag=flag.key)
    rows = selectors.releases_seen(scope.project).filter(alive, about, environment=place)
    found = list(rows.prefetch_related("executions").order_by("-pk")[:5])
    state = beat_of(found, now)
    if request.GET.get("seen") == state:
        return HttpResponse(status=204)
    may = scope.allows(Permission.FLAG_EDIT, place)
    query = urlencode({"flag": flag.key, "environment": place.key})
    context = {
        "scope": scope,
        "flag": flag,
        "environment": place,
        "views": [ReleaseView.of(one, now) for one in found],
        "state": state,
        "is_moved": any(one.is_moving for one in found),
        "why_not": "" if may else str(Forbidden(Permission.FLAG_EDIT)),
        "new_url": f"{reverse('release-new', args=[scope.project.key])}?{query}",
    }
    return render(request, "releases/_of_flag.html", context)
