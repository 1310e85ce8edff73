from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from flags.transfer.exporters.base import to_yaml
from flags.transfer.importers.base import FileRefused
from flags.transfer.importers.text import read_text
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.models import ChangeRequest
from portal.approvals.web.preflight import (
    Revising,
    drift_of,
    editable_request,
    preflight,
    read_intent,
)
from portal.lib.errors import Forbidden, Invalid
from portal.lib.merging import side_of
from portal.lib.web.pages import (
    Fields,
    Refusal,
    governed,
    nest,
    read_form,
    redirect_to,
    sent_version,
    show_form,
    texts,
)
from releases.catalogue import selectors, services
from releases.catalogue.models import Service, ServiceSetup
from releases.routers.webhook import secret_for
from releases.web import check_form, haproxy_form
from releases.web.services import address_of, find_service

_PAGE = ("releases/setup.html", "releases/_setup.html")
_FIELDS: Fields = {**texts("version", "rollback_config"), "checks": [check_form.FIELDS]}
_BLOCK = "rollback_config"
Form = dict[str, Any]


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def edit_setup(request: HttpRequest, scope: Scope, service: str, environment: str) -> HttpResponse:
    """The page of the form. With ``do`` it is rearranged; otherwise it is saved when sent.

    Where it edits a request, it begins with what that asks for on top of what is there now.
    """
    found, place = find_service(scope, service), scope.environment(environment)
    setup, revise = selectors.setup_of(found, place), Revising.sent(request)
    wanted = str(revise.number) if revise else request.GET.get("request", "")
    asked = _asked(scope, found, place, wanted)
    drift = drift_of(asked, side_of(request.GET.get("prefer", ""))) if asked else None
    stored = drift.document if drift else setup.document if setup else {}
    form = _sent(request) if request.method == "POST" else _form_of(stored)
    draw = partial(_context, scope, found, place, setup, form, revise)
    if request.method != "POST":
        context = draw(Refusal()) | {"revise": Revising.of(asked), "drift": drift}
        return show_form(request, _PAGE, context)
    if request.POST.get("do"):
        return show_form(request, _PAGE, draw(Refusal()))

    def save() -> HttpResponse:
        services.put_setup(
            service=found,
            environment=place,
            document=_document(form, stored),
            expected_version=sent_version(request),
            intent=read_intent(request, scope),
        )
        notice = _("Saved how {service} is released in {environment}.")
        text = notice.format(service=found.name, environment=place.name)
        return redirect_to(request, address_of(found), text)

    return governed(request, _PAGE, draw, save)


def _asked(scope: Scope, service: Service, place: Environment, wanted: str) -> ChangeRequest | None:
    """The request that is edited; None for none, and for that of another environment."""
    asked = editable_request(scope, wanted, kind=services.SETUP, subject=service.key)
    return asked if asked and place in asked.environments.all() else None


def _context(
    scope: Scope,
    service: Service,
    place: Environment,
    setup: ServiceSetup | None,
    form: Form,
    revise: Revising | None,
    refusal: Refusal,
) -> dict[str, object]:
    may = scope.allows(Permission.RELEASE_DEPLOY, place)
    flags = scope.project.flags.alive().order_by("key")
    of_router = {at: text for at, text in refusal.errors.items() if at.startswith("router.")}
    shown = {*_shown_paths(form), *haproxy_form.shown_paths(of_router, form["haproxy"])}
    return {
        "scope": scope,
        "service": service,
        "environment": place,
        "form": form,
        "revise": revise,
        "errors": refusal.errors,
        "router_errors": _below(refusal.errors, "router"),
        "deployer_errors": _below(refusal.errors, "deployer"),
        "problems": [text for path, text in refusal.errors.items() if path not in shown],
        "checks": check_form.inputs_of(form["checks"], "checks", refusal.errors),
        "haproxy_errors": haproxy_form.errors_of(of_router, form["haproxy"]),
        "known_haproxys": ", ".join(sorted(settings.HAPROXY)),
        "known_flags": flags.values_list("key", flat=True)[:500],
        "version": setup.version if setup else 0,
        "secret": secret_for(scope.project.key, service.key, place.key) if may else "",
        "why_not": "" if may else str(Forbidden(Permission.RELEASE_DEPLOY)),
        "preflight": preflight(scope, [place], turns_off=False),
        **check_form.CHOICES,
    }


def _shown_paths(form: Form) -> list[str]:
    paths = [
        f"checks[{n}].{name}" for n in range(len(form["checks"])) for name in check_form.BESIDE
    ]
    names = (
        "flag",
        "baseline",
        "bucket_by",
        "tester_url",
        "pin_s",
        "url",
        "variants[0]",
        "variants[1]",
    )
    of_deployer = (f"deployer.{name}" for name in ("url", "instances", "addresses"))
    return [*paths, *(f"router.{name}" for name in names), *of_deployer, _BLOCK]


def _below(errors: Mapping[str, str], path: str) -> dict[str, str]:
    found = {at.removeprefix(f"{path}."): text for at, text in errors.items()}
    return {at.replace("[", "_").replace("]", ""): text for at, text in found.items()}


def _form_of(stored: Mapping[str, Any]) -> Form:
    if not stored:
        start = {"kind": "flag"}
        haproxy = haproxy_form.form_of(start)
        return {"router": start, "haproxy": haproxy, "deployer": {}, "checks": [], _BLOCK: ""}
    block = to_yaml({_BLOCK: stored[_BLOCK]}) if stored[_BLOCK] else ""
    return {
        "router": {**stored["router"], **check_form.minutes_of(stored["router"], "pin_s")},
        "haproxy": haproxy_form.form_of(stored["router"]),
        "deployer": _deployer_row(stored["deployer"]),
        "checks": [check_form.row_of(one) for one in stored["checks"]],
        _BLOCK: block,
    }


def _sent(request: HttpRequest) -> Form:
    form = {"checks": [], _BLOCK: ""} | read_form(request.POST.items(), _FIELDS)
    router = nest(request.POST.items()).get("router")
    form["router"] = router if isinstance(router, dict) else {}
    deployer = nest(request.POST.items()).get("deployer")
    form["deployer"] = deployer if isinstance(deployer, dict) else {}
    form["haproxy"] = haproxy_form.sent(request.POST.items())
    form["checks"] = check_form.rearranged(form["checks"], request.POST.get("do", ""))
    return form


_ROUTER_FIELDS = {
    "flag": ("flag", "variants", "baseline", "bucket_by", "tester_url", "pin_s"),
    "webhook": ("url",),
}


def _document(form: Form, stored: Mapping[str, Any]) -> dict[str, Any]:
    """The setup that the form says. Raises Invalid where the block is neither YAML nor JSON."""
    router = form["router"]
    fields = ("kind", *_ROUTER_FIELDS.get(str(router.get("kind")), ()))
    by_haproxy = router.get("kind") == "haproxy"
    wanted = {name: router[name] for name in fields if router.get(name)}
    wanted |= check_form.seconds_of(wanted, "pin_s")
    return {
        "router": haproxy_form.document_of(form["haproxy"]) if by_haproxy else wanted,
        "deployer": _deployer(form["deployer"]),
        "checks": [check_form.document_of(row) for row in form["checks"]],
        _BLOCK: _read_block(form[_BLOCK]),
    }


def _deployer_row(deployer: Mapping[str, Any]) -> dict[str, str]:
    addresses = deployer.get("addresses", {})
    return {
        "kind": deployer.get("kind", ""),
        "url": deployer.get("url", ""),
        "instances": ", ".join(deployer.get("instances", ())),
        "addresses": "\n".join(f"{name} = {url}" for name, url in addresses.items()),
    }


def _deployer(row: Mapping[str, str]) -> dict[str, Any]:
    if not row.get("kind"):
        return {}
    found: dict[str, Any] = {"kind": row["kind"]}
    if row["kind"] == "webhook":
        found["url"] = row.get("url", "").strip()
    names = [one.strip() for one in row.get("instances", "").split(",") if one.strip()]
    lines = [one.partition("=") for one in row.get("addresses", "").splitlines() if one.strip()]
    addresses = {name.strip(): url.strip() for name, _is, url in lines}
    return found | {
        name: one for name, one in (("instances", names), ("addresses", addresses)) if one
    }


def _read_block(text: str) -> object:
    """The guide's block, with or without its own name above it."""
    if not text.strip():
        return {}
    try:
        document = read_text(text.encode())
    except FileRefused as error:
        raise Invalid({_BLOCK: str(error)}) from None
    if isinstance(document, dict) and set(document) == {_BLOCK}:
        return cast(object, document[_BLOCK])
    return document
