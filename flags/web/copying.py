"""Dialogs that take over what there is: in another environment, or under another key."""

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from flags import selectors, services
from flags.services import changes, naming
from flags.services.copying import Cloned, Taking, copied_document
from flags.web.finding import find_flag
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.errors import Waiting
from portal.approvals.web.outlook import fresh_for_glass, outlook, read_intent, sent
from portal.lib.errors import Invalid
from portal.lib.intent import Intent
from portal.lib.web.forms import sent_version
from portal.lib.web.pages import Refusal, confirm_name, governed, redirect_to


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_EDIT)
@fresh_for_glass
def copy_configuration(
    request: HttpRequest, scope: Scope, environment: str, key: str
) -> HttpResponse:
    """First what would change, in words; in production its name is typed."""
    flag, target = find_flag(scope, key), scope.environment(environment)
    values = request.POST if request.method == "POST" else request.GET
    source = _source(scope, target, values)

    def save() -> HttpResponse:
        if _needs_name(scope, target):
            confirm_name(request, target.key)
        services.copy_configuration(
            flag=flag,
            source=source,
            target=target,
            source_version=sent_version(request, "source_version"),
            expected_version=sent_version(request),
            taking=_taking(values),
            intent=read_intent(request, scope),
        )
        address = reverse("flag-targeting", args=[scope.project.key, target.key, flag.key])
        text = _("{environment} now does what {source} does.")
        return redirect_to(
            request, address, text.format(environment=target.name, source=source.name)
        )

    def context(_refusal: Refusal) -> dict[str, object]:
        theirs, ours = (selectors.get_configuration(flag, place) for place in (source, target))
        taking = _taking(values)
        wanted = copied_document(theirs, ours, taking)
        return {
            "scope": scope,
            "flag": flag,
            "source": source,
            "target": target,
            "sources": [p for p in scope.project.environments.all() if p.pk != target.pk],
            "taking": taking,
            "words": changes.configuration_words(flag, ours.document, wanted),
            "source_version": theirs.version,
            "version": ours.version,
            "outlook": outlook(scope, [target], turns_off=False),
            "needs_name": _needs_name(scope, target),
        }

    try:
        return governed(request, "flags/_copy_dialog.html", context, save)
    except Waiting as waiting:
        return sent(request, waiting)


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


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_EDIT)
def clone_flag(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    """A new flag like this one, off everywhere; its targeting where it is ticked."""
    flag = find_flag(scope, key)
    values = {name: request.POST.get(name, "").strip() for name in ("key", "name")}
    wanted = request.POST.getlist("environment")
    places = scope.project.environments.all()

    def save() -> HttpResponse:
        cloned = services.clone_flag(
            flag=flag,
            environments=[place for place in places if place.key in wanted],
            intent=Intent(scope.actor),
            **values,
        )
        address = reverse("flag", args=[scope.project.key, cloned.flag.key])
        return redirect_to(request, address, _said(cloned))

    def context(_refusal: Refusal) -> dict[str, object]:
        return {
            "scope": scope,
            "flag": flag,
            "values": values,
            "places": [(place, scope.allows(Permission.FLAG_EDIT, place)) for place in places],
            "chosen": wanted,
            "rule": naming.rule_of(scope.project),
        }

    return governed(request, "flags/_clone_dialog.html", context, save)


def _said(cloned: Cloned) -> str:
    """What became of it, with all that did not come along."""
    sentences = [_("{flag} is there, off in every environment.").format(flag=cloned.flag.title)]
    sentences += [str(waiting) for waiting in cloned.waiting]
    sentences += [f"{place.name}: {text}" for place, text in cloned.refused]
    return " ".join(sentences)
