"""Taking a flag out of use, and bringing it back."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from flags import services
from flags.services import effects
from flags.usage import reading
from flags.web.finding import find_flag
from flags.web.rows import FlagRow
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.web.outlook import fresh_for_glass, outlook, read_intent
from portal.lib import clock
from portal.lib.intent import Intent
from portal.lib.web.pages import Refusal, confirm_name, governed, redirect_to


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_ARCHIVE)
@fresh_for_glass
def archive(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    uses = reading.recent_use(flag, now=clock.now())

    def context(_refusal: Refusal) -> dict[str, object]:
        places = effects.of_archiving(flag, scope.project.environments.all())
        view = outlook(scope, places, turns_off=False)
        return {"scope": scope, "flag": flag, "row": FlagRow(flag), "outlook": view, "uses": uses}

    def save() -> HttpResponse:
        if uses:
            confirm_name(request, flag.key)
        services.archive_flag(flag=flag, intent=read_intent(request, scope))
        address = reverse("flag-list", kwargs={"project": scope.project.key})
        return redirect_to(request, address, _("{flag} is archived.").format(flag=flag.title))

    return governed(request, "flags/_archive_dialog.html", context, save)


@require_POST
@project_page(Permission.FLAG_ARCHIVE)
def restore(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    services.restore_flag(flag=flag, intent=Intent(scope.actor))
    address = reverse("flag", kwargs={"project": scope.project.key, "key": key})
    return redirect_to(request, address, _("{flag} is back, as it was.").format(flag=flag.title))
