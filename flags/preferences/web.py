from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from flags.core import selectors
from flags.core.web.listing import lasting
from flags.core.web.rows import find_flag
from flags.models import SavedView
from flags.preferences import services
from flags.preferences.services import set_favourite
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib.errors import Forbidden
from portal.lib.journal import Intent
from portal.lib.web.pages import governed, redirect_to


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def create_view(request: HttpRequest, scope: Scope) -> HttpResponse:
    return _edit(request, scope, None, {"query": lasting(request.GET)})


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def edit_view(request: HttpRequest, scope: Scope, view: int) -> HttpResponse:
    """Rename a view, share it, give it other filters, or see it first.

    Anyone but its owner can only do the last.
    """
    found = _find(scope, view)
    stored = {
        "name": found.name,
        "shared": found.shared,
        "query": found.query,
        "current": lasting(request.GET),
        "default": found.default_for.filter(pk=scope.user.pk).exists(),
    }
    return _edit(request, scope, found, stored)


@require_POST
@project_page(Permission.FLAG_VIEW)
def delete_view(request: HttpRequest, scope: Scope, view: int) -> HttpResponse:
    found = _find(scope, view)
    if not _may_change(scope, found):
        raise Forbidden(_("change views of others"))
    services.delete_view(view=found)
    return redirect_to(request, _list(scope) + "?all=1", _("The view is deleted."))


def _find(scope: Scope, pk: int) -> SavedView:
    found = selectors.views_of(scope.user, scope.project).filter(pk=pk).first()
    if found is None:
        raise Http404(str(pk))
    return found


def _may_change(scope: Scope, view: SavedView | None) -> bool:
    """Its owner, and for shared ones anyone who may set up the project: people leave."""
    if view is None or view.owner_id == scope.user.pk:
        return True
    return Permission.ENVIRONMENT_CONFIGURE in scope.permissions


def _edit(
    request: HttpRequest, scope: Scope, view: SavedView | None, stored: dict[str, object]
) -> HttpResponse:
    default, may_change = request.POST.get("default") == "1", _may_change(scope, view)
    values = request.POST.dict() if request.method == "POST" else stored
    context = {"scope": scope, "view": view, "values": values, "may_change": may_change}

    def save() -> HttpResponse:
        if view is not None and not may_change:
            services.set_default(view=view, user=scope.user, default=default)
            return redirect_to(request, _address(scope, view))
        saved = services.save_view(
            project=scope.project,
            user=scope.user,
            intent=Intent(scope.actor),
            view=view,
            name=request.POST.get("name", ""),
            query=lasting(QueryDict(request.POST.get("query", ""))),
            shared=request.POST.get("shared") == "1",
            default=default,
        )
        return redirect_to(request, _address(scope, saved), _("The view is saved."))

    return governed(request, "flags/preferences/_view_dialog.html", context, save)


def _list(scope: Scope) -> str:
    return reverse("flag-list", args=[scope.project.key])


def _address(scope: Scope, view: SavedView) -> str:
    return f"{_list(scope)}?{view.query}&view={view.pk}"


@require_POST
@project_page(Permission.FLAG_VIEW)
def favour(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    favourite = request.POST.get("favourite") == "1"
    set_favourite(flag=flag, user=scope.user, favourite=favourite)
    context = {"scope": scope, "flag": flag, "favourite": favourite}
    return render(request, "flags/preferences/_star.html", context)
