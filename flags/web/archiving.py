"""Taking a flag out of use, and bringing it back."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from flags import services
from flags.web.finding import find_flag
from flags.web.rows import FlagRow
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.htmx import redirect_to


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_ARCHIVE)
def archive(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    if request.method != "POST":
        context = {"scope": scope, "flag": flag, "row": FlagRow(flag)}
        return render(request, "flags/_archive_dialog.html", context)
    reason = request.POST.get("reason", "")
    services.archive_flag(flag=flag, actor=scope.actor, now=clock.now(), reason=reason)
    address = reverse("flag-list", kwargs={"project": scope.project.key})
    return redirect_to(request, address, _("{flag} is archived.").format(flag=flag.title))


@require_POST
@project_page(Permission.FLAG_ARCHIVE)
def restore(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    services.restore_flag(flag=flag, actor=scope.actor, now=clock.now())
    address = reverse("flag", kwargs={"project": scope.project.key, "key": key})
    return redirect_to(request, address, _("{flag} is back, as it was.").format(flag=flag.title))
