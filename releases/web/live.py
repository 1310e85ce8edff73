import hashlib
import json
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import selectors as approvals
from portal.audit import history
from portal.audit.filters import Filters
from portal.audit.web.lines import lines, pulse
from portal.lib import clock
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent
from portal.lib.web.live import draw, live_page
from portal.lib.web.pages import redirect_to, wants_fragment
from releases.alerts.models import Alert
from releases.alerts.selectors import alerts_firing, is_about
from releases.core import commands, descriptions, selectors
from releases.core.models import MOVING, Release, State
from releases.core.planning import users_routed
from releases.core.situation import subject_of
from releases.engine.alerts import filled
from releases.web.buttons import Button, buttons_of
from releases.web.charts import charts_of
from releases.web.labels import linked_from
from releases.web.listing import beat_of_list
from releases.web.release_view import ReleaseView

PAGE = "releases/release"
_HAPPENED = 30
# What of a release's row the page shows; the rest moves with every tick and changes nothing.
_SEEN = (
    "state",
    "step",
    "attempt",
    "entered_at",
    "paused_at",
    "not_before",
    "told",
    "wanted",
    "holds",
    "warnings",
    "checks",
    "exposed",
    "problem",
    "outcome",
    "because",
    "watch_until",
    "proof",
)


def find_release(scope: Scope, number: int) -> Release:
    found = selectors.releases_seen(scope.project).filter(pk=number).first()
    if found is None:
        raise Http404(number)
    return found


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_release(request: HttpRequest, scope: Scope, release: int) -> HttpResponse:
    found, now = find_release(scope, release), clock.now()
    return live_page(request, PAGE, beat_of(found, now), lambda: release_context(scope, found, now))


@require_safe
@project_page(Permission.FLAG_VIEW)
def measured(request: HttpRequest, scope: Scope, release: int) -> HttpResponse:
    found = find_release(scope, release)
    response = JsonResponse(charts_of(found, clock.now()))
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@project_page(Permission.FLAG_VIEW)
def add_note(request: HttpRequest, scope: Scope, release: int) -> HttpResponse:
    found, text = find_release(scope, release), request.POST.get("text", "")
    form = {"scope": scope, "release": found}
    try:
        commands.note(release=found, text=text, intent=Intent(scope.actor))
    except Invalid as error:
        if not wants_fragment(request):
            raise
        problem = error.problems.get("text", str(error))
        form |= {"typed": text, "problem": problem}
        return render(request, "releases/_note_form.html", form, status=422)
    if not wants_fragment(request):
        return redirect_to(request, address_of(found), _("Note saved."))
    now = clock.now()
    context = release_context(scope, found, now) | form | {"oob": True}
    return render(
        request, "releases/_noted.html", draw(request, PAGE, context, beat_of(found, now))
    )


def address_of(release: Release) -> str:
    return reverse("release", args=[release.project.key, release.pk])


def beat_of(release: Release, now: datetime) -> str:
    """Another text whenever the page may look different."""
    values = [getattr(release, name) for name in _SEEN]
    values.append([one.pk for one in alerts_of(release, now)])
    row = json.dumps(values, default=str, sort_keys=True)
    return f"{pulse(now)}-{hashlib.sha256(row.encode()).hexdigest()[:12]}-{release.notes.count()}"


def alerts_of(release: Release, now: datetime) -> list[Alert]:
    """What fires while it moves or is watched: of what it releases, or of its checks."""
    if not release.is_moving and not release.is_watched(now):
        return []
    names = subject_of(release).names
    others = [filled(one.matchers, names) for one in release.parsed_plan.checks if one.matchers]
    firing = alerts_firing([release.environment], now)
    return [one for one in firing if is_about(one, release.about.key, others)]


def release_context(scope: Scope, release: Release, now: datetime) -> dict[str, object]:
    about = Filters(project=scope.project.key, kind="release", subject=str(release.pk))
    may_read = Permission.AUDIT_VIEW in scope.permissions
    buttons = buttons_of(scope, release, now)
    over = release.is_over
    users = None if over else users_routed(release.project, release.environment, release.router)
    happened = history.page(about, size=_HAPPENED).events if may_read else []
    return {
        "scope": scope,
        "release": release,
        "view": ReleaseView.of(release, now, users),
        **linked_from(release),
        "alerts": alerts_of(release, now),
        "users_words": "" if over else descriptions.users_words(users),
        "cohorts_words": descriptions.cohorts_words(release),
        "buttons": buttons,
        "over": "" if any(not one.why_not for one in buttons) else _over(release, buttons, now),
        "pending": approvals.open_requests(
            scope.project, subject_kind="release", subject=str(release.pk)
        ),
        "notes": release.notes.order_by("-pk"),
        "lines": lines(happened),
        "live_url": address_of(release),
        # New within two seconds, the time of the answer included.
        "live_every": "1s" if release.is_moving or _just_over(release, now) else "2s",
    }


def _over(release: Release, buttons: list[Button], now: datetime) -> str:
    if release.state == State.SUCCEEDED and not release.is_watched(now):
        undo = next(one for one in buttons if one.command.name == "undo")
        return " ".join((_("Its watch is over."), undo.why_not))
    is_ahead = release.is_moving and release.state != State.ROLLING_BACK
    return "" if is_ahead or release.state == State.PLANNED else buttons[0].why_not


def _just_over(release: Release, now: datetime) -> bool:
    return release.ended_at is not None and now - release.ended_at < timedelta(minutes=1)


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_panel(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    place, now = scope.environment(environment), clock.now()
    flag = scope.project.flags.filter(key=key).first()
    if flag is None:
        raise Http404(key)
    alive = Q(state__in=(*MOVING, State.PLANNED)) | Q(state=State.SUCCEEDED, watch_until__gt=now)
    about = Q(flag=flag) | Q(router__flag=flag.key)
    rows = selectors.releases_seen(scope.project).filter(alive, about, environment=place)
    found = list(rows.prefetch_related("executions").order_by("-pk")[:5])
    state = beat_of_list(found, now)
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
