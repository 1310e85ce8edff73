"""A release's whole story on one page, as evidence: printable, each row linked."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import selectors as approvals
from portal.audit import history
from portal.audit.filters import Filters
from portal.audit.web.lines import lines
from portal.lib import clock
from releases.core.models import Measurement, Release, State
from releases.engine.checks import Check
from releases.engine.verdicts import Verdict
from releases.web.labels import CheckRow, linked_from, measured
from releases.web.live import find_release
from releases.web.release_view import ReleaseView

MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Measured:
    check: Check
    number: int
    failed: int
    least: float | None
    most: float | None
    first_at: datetime
    last: CheckRow

    @property
    def values(self) -> str:
        ends = [measured(self.check, value) for value in (self.least, self.most)]
        return _(" to ").join(dict.fromkeys(filter(None, ends)))


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_story(request: HttpRequest, scope: Scope, release: int) -> HttpResponse:
    found, now = find_release(scope, release), clock.now()
    view = ReleaseView.of(found, now)
    about = Filters(project=scope.project.key, kind="release", subject=str(found.pk))
    may_read = Permission.AUDIT_VIEW in scope.permissions
    happened = history.page(about, size=MOST_ROWS) if may_read else None
    context = {
        "scope": scope,
        "release": found,
        "view": view,
        **linked_from(found),
        "now": now,
        "attempts": _attempts(found, view),
        "asked": _asked(scope, found),
        "lines": lines(happened.events[::-1]) if happened else [],
        "is_cut": happened is not None and happened.earlier is not None,
        "notes": found.notes.all(),
    }
    return render(request, "releases/story.html", context)


def _attempts(release: Release, view: ReleaseView) -> list[tuple[Any, ...]]:
    said = _measured(release, view)
    rows, titles = list(release.executions.all()), {row.index: row.title for row in view.steps}
    last = {one.step: one.pk for one in rows}
    return [
        (
            one,
            titles.get(one.step, ""),
            str(State(one.outcome).label) if one.outcome in State.values else "",
            said.get(one.step, []) if last[one.step] == one.pk else [],
        )
        for one in rows
    ]


def _measured(release: Release, view: ReleaseView) -> dict[int, list[Measured]]:
    """By step, in two queries however much was measured."""
    groups = (
        release.measurements.order_by()
        .values("step", "check_key")
        .annotate(
            number=Count("pk"),
            failed=Count("pk", filter=Q(verdict=Verdict.FAILED)),
            least=Min("value"),
            most=Max("value"),
            first_at=Min("at"),
            last=Max("pk"),
        )
    )
    found = list(groups)
    last = Measurement.objects.in_bulk([group["last"] for group in found])
    checks = {row.check.key: row for row in view.checks}
    said: dict[int, list[Measured]] = {}
    for group in sorted(found, key=lambda one: list(checks).index(one["check_key"])):
        row, final = checks[group["check_key"]], last[group["last"]]
        shown = CheckRow(row.check, _document(final), row.came_from)
        counted = (group["number"], group["failed"], group["least"], group["most"])
        said.setdefault(group["step"], []).append(
            Measured(row.check, *counted, group["first_at"], shown)
        )
    return said


def _document(one: Measurement) -> dict[str, Any]:
    return {
        "verdict": one.verdict,
        "value": one.value,
        "requests": one.requests,
        "errors": one.errors,
        "numbers": one.numbers,
        "at": one.at.isoformat(),
    }


def _asked(scope: Scope, release: Release) -> list[Any]:
    found = approvals.requests_of(scope.project).filter(
        subject_kind="release", subject=str(release.pk)
    )
    return list(found.prefetch_related("votes__user").order_by("pk"))
