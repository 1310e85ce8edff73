"""Taking a flag out of use, and bringing it back."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from flags import services
from flags.models import Flag
from flags.services import effects
from flags.usage import reading
from flags.web.finding import find_flag
from flags.web.rows import FlagRow
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.errors import Waiting
from portal.approvals.web.outlook import fresh_for_glass, outlook, read_intent
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.intent import Intent
from portal.lib.web.htmx import redirect_to


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_ARCHIVE)
@fresh_for_glass
def archive(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    if request.method != "POST":
        return _dialog(request, scope, flag)
    if _is_asked_for(flag) and request.POST.get("typed", "").strip() != flag.key:
        return _dialog(request, scope, flag, wrong_name=True)
    try:
        services.archive_flag(flag=flag, intent=read_intent(request, scope))
    except Waiting as waiting:
        return redirect_to(request, waiting.path, _("Sent for approval. Nothing has changed yet."))
    except Invalid as error:
        return _dialog(request, scope, flag, error.problems)
    address = reverse("flag-list", kwargs={"project": scope.project.key})
    return redirect_to(request, address, _("{flag} is archived.").format(flag=flag.title))


@require_POST
@project_page(Permission.FLAG_ARCHIVE)
def restore(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    try:
        services.restore_flag(flag=flag, intent=Intent(scope.actor))
    except Waiting as waiting:
        return redirect_to(request, waiting.path, _("Sent for approval. Nothing has changed yet."))
    address = reverse("flag", kwargs={"project": scope.project.key, "key": key})
    return redirect_to(request, address, _("{flag} is back, as it was.").format(flag=flag.title))


def _is_asked_for(flag: Flag) -> bool:
    return bool(reading.recent_use(flag, now=clock.now()))


def _dialog(
    request: HttpRequest,
    scope: Scope,
    flag: Flag,
    errors: Mapping[str, str] | None = None,
    *,
    wrong_name: bool = False,
) -> HttpResponse:
    places = effects.of_archiving(flag, scope.project.environments.all())
    context = {
        "scope": scope,
        "flag": flag,
        "row": FlagRow(flag),
        "outlook": outlook(scope, places, turns_off=False),
        "errors": errors or {},
        "uses": reading.recent_use(flag, now=clock.now()),
        "wrong_name": wrong_name,
        "reason": request.POST.get("reason", ""),
    }
    status = 422 if errors or wrong_name else 200
    return render(request, "flags/_archive_dialog.html", context, status=status)
