"""What happened to a flag: its part of the history, newest first."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from flags.web.finding import find_flag
from flags.web.rows import FlagRow
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.audit.filters import Filters
from portal.audit.web.lines import history_page
from portal.lib.web.pages import render_page


@require_safe
@project_page(Permission.AUDIT_VIEW)
def flag_history(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    filters = Filters(project=scope.project.key, kind="flag", subject=key)
    context = {
        "scope": scope,
        "flag": flag,
        "row": FlagRow(flag),
        "tab": "history",
        **history_page(request, filters),
    }
    return render_page(request, "flags/history.html", "flags/_history.html", context)
