"""Dialogs that take over what there is: in another environment, or under another key."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from flags import selectors, services
from flags.models import Flag
from flags.services import changes, naming
from flags.services.copying import Cloned, Taking, copied_document
from flags.web.finding import find_flag
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.errors import Waiting
from portal.approvals.web.outlook import fresh_for_glass, outlook, read_intent, sent
from portal.lib.errors import Conflict, Invalid
from portal.lib.intent import Intent
from portal.lib.web.forms import sent_version
from portal.lib.web.htmx import redirect_to


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_EDIT)
@fresh_for_glass
def copy_configuration(
    request: HttpRequest, scope: Scope, environment: str, key: str
) -> HttpResponse:
    """First what would change, in words; in production its name is typed."""
    flag, target = find_flag(scope, key), scope.environment(environment)
    if request.method != "POST":
        return _copy_dialog(request, scope, flag, target, request.GET)
    source = _source(scope, target, request.POST)
    if _wrong_name(request, scope, target):
        return _copy_dialog(request, scope, flag, target, request.POST, wrong_name=True)
    try:
        services.copy_configuration(
            flag=flag,
            source=source,
            target=target,
            source_version=sent_version(request, "source_version"),
            expected_version=sent_version(request),
            taking=_taking(request.POST),
            intent=read_intent(request, scope),
        )
    except Waiting as waiting:
        return sent(request, waiting)
    except (Conflict, Invalid) as error:
        return _copy_dialog(request, scope, flag, target, request.POST, error=error)
    address = reverse("flag-targeting", args=[scope.project.key, target.key, flag.key])
    text = _("{environment} now does what {source} does.")
    return redirect_to(request, address, text.format(environment=target.name, source=source.name))


def _source(scope: Scope, target: Environment, values: QueryDict) -> Environment:
    others = [place for place in scope.project.environments.all() if place.pk != target.pk]
    found = next((place for place in others if place.key == values.get("source")), None)
    if found is None and not others:
        raise Invalid({"": _("There is no other environment to copy from.")})
    return found or others[-1]


def _taking(values: QueryDict) -> Taking:
    return Taking(state=values.get("state") == "1", salt=values.get("salt") == "1")


def _needs_name(scope: Scope, target: Environment) -> bool:
    """What others have to agree to is not typed: nothing happens by that click."""
    view = outlook(scope, [target], turns_off=False)
    return target.is_production and not view.needs_approval


def _wrong_name(request: HttpRequest, scope: Scope, target: Environment) -> bool:
    typed = request.POST.get("typed", "").strip()
    return _needs_name(scope, target) and typed != target.key


def _copy_dialog(
    request: HttpRequest,
    scope: Scope,
    flag: Flag,
    target: Environment,
    values: QueryDict,
    *,
    wrong_name: bool = False,
    error: Exception | None = None,
) -> HttpResponse:
    source = _source(scope, target, values)
    theirs, ours = (selectors.get_configuration(flag, place) for place in (source, target))
    taking = _taking(values)
    wanted = copied_document(theirs, ours, taking)
    context = {
        "scope": scope,
        "flag": flag,
        "source": source,
        "target": target,
        "sources": [p for p in scope.project.environments.all() if p.pk != target.pk],
        "taking": taking,
        "words": changes.configuration_words(flag, ours.document, wanted),
        "source_version": theirs.version,
        "version": ours.version,
        "reason": values.get("reason", ""),
        "outlook": outlook(scope, [target], turns_off=False),
        "needs_name": _needs_name(scope, target),
        "wrong_name": wrong_name,
        "error": str(error) if error else "",
    }
    status = 409 if isinstance(error, Conflict) else 422 if wrong_name or error else 200
    return render(request, "flags/_copy_dialog.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_EDIT)
def clone_flag(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    """A new flag like this one, off everywhere; its targeting where it is ticked."""
    flag = find_flag(scope, key)
    if request.method != "POST":
        return _clone_dialog(request, scope, flag, {"key": "", "name": ""})
    values = {name: request.POST.get(name, "").strip() for name in ("key", "name")}
    wanted = set(request.POST.getlist("environment"))
    places = [place for place in scope.project.environments.all() if place.key in wanted]
    try:
        cloned = services.clone_flag(
            flag=flag, environments=places, intent=Intent(scope.actor), **values
        )
    except Invalid as error:
        return _clone_dialog(request, scope, flag, values, error.problems)
    address = reverse("flag", args=[scope.project.key, cloned.flag.key])
    return redirect_to(request, address, _said(cloned))


def _said(cloned: Cloned) -> str:
    """What became of it, with all that did not come along."""
    sentences = [_("{flag} is there, off in every environment.").format(flag=cloned.flag.title)]
    sentences += [str(waiting) for waiting in cloned.waiting]
    sentences += [f"{place.name}: {text}" for place, text in cloned.refused]
    return " ".join(sentences)


def _clone_dialog(
    request: HttpRequest,
    scope: Scope,
    flag: Flag,
    values: Mapping[str, str],
    errors: Mapping[str, str] | None = None,
) -> HttpResponse:
    context = {
        "scope": scope,
        "flag": flag,
        "values": values,
        "errors": errors or {},
        "places": [
            (place, scope.allows(Permission.FLAG_EDIT, place))
            for place in scope.project.environments.all()
        ],
        "chosen": request.POST.getlist("environment"),
        "rule": naming.rule_of(scope.project),
    }
    return render(request, "flags/_clone_dialog.html", context, status=422 if errors else 200)
