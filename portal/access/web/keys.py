from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _, gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import selectors, services
from portal.access.models import ApiKey, KeyKind
from portal.access.models.key import MOST_REQUESTS
from portal.access.permissions import TELEMETRY, Permission
from portal.access.signin import needs_fresh_sign_in
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.lib.numbers import read_whole
from portal.lib.web.pages import governed, render_page, replace_part

LIFETIMES = {"": _("never"), "30": _("in 30 days"), "90": _("in 90 days"), "365": _("in a year")}

# What a key does with each of its rights; people can do more with the same.
RIGHTS = {
    Permission.ENVIRONMENT_CONFIGURE: gettext_lazy(
        "Add environments, set approval policies and plan freezes. What lowers a "
        "policy waits for people all the same."
    ),
    Permission.MEMBER_MANAGE: gettext_lazy(
        "Invite people, and give roles and groups that permit no more than you may do. It "
        "never lets anybody approve."
    ),
    Permission.KEY_MANAGE: gettext_lazy(
        "Make and revoke server and client keys; never admin keys."
    ),
    Permission.INCIDENT_MANAGE: gettext_lazy("Stop the line. Only a person can lift it."),
}


def _context(scope: Scope) -> dict[str, object]:
    return {
        "scope": scope,
        "keys": selectors.keys_of(scope.project),
        "now": clock.now(),
        "may_confirm_in": {
            place.pk
            for place in scope.environments
            if scope.allows(Permission.CHANGE_REQUEST_APPROVE, place)
        },
    }


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_keys(request: HttpRequest, scope: Scope) -> HttpResponse:
    return render_page(request, "access/keys.html", "access/_keys.html", _context(scope))


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.KEY_MANAGE)
@needs_fresh_sign_in
def create_key(request: HttpRequest, scope: Scope) -> HttpResponse:
    context = {
        "scope": scope,
        "kinds": KeyKind.choices,
        "lifetimes": LIFETIMES,
        "rights": [(one, text) for one, text in RIGHTS.items() if _holds(scope, one)],
        "telemetry": TELEMETRY,
        "chosen_rights": request.POST.getlist("rights"),
        "values": request.POST or {"environment": request.GET.get("environment", "")},
    }

    def save() -> HttpResponse:
        issued = _issue(request, scope)
        return render(request, "access/_key_created.html", _context(scope) | {"issued": issued})

    return governed(request, "access/_key_dialog.html", context, save)


def _issue(request: HttpRequest, scope: Scope) -> services.IssuedKey:
    now = clock.now()
    days = request.POST.get("expires_in", "")
    if days not in LIFETIMES:
        raise Invalid({"expires_in": _("Choose one of the offered times.")})
    return services.issue_key(
        environment=scope.environment(request.POST.get("environment", "")),
        kind=request.POST.get("kind", ""),
        name=request.POST.get("name", ""),
        intent=Intent(scope.actor, at=now),
        expires_at=now + timedelta(days=int(days)) if days else None,
        allowed_origins=request.POST.get("allowed_origins", "").split(),
        rights=request.POST.getlist("rights"),
        evidence=request.POST.get("evidence", "").split(),
    )


def _holds(scope: Scope, right: Permission) -> bool:
    """Whether it is offered: the service asks again, for the environment that is chosen."""
    return any(scope.allows(right, place) for place in scope.environments)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.KEY_MANAGE)
def edit_key(request: HttpRequest, scope: Scope, selector: str) -> HttpResponse:
    key = _find(scope, selector)
    stored = {
        "allowed_origins": " ".join(key.allowed_origins),
        "rate_limit": key.rate_limit,
        "burst_limit": key.burst_limit,
    }
    context = {
        "scope": scope,
        "key": key,
        "values": request.POST or stored,
        "rate_first": key.kind != KeyKind.CLIENT,
    }

    def save() -> HttpResponse:
        services.edit_key(
            key=key,
            allowed_origins=request.POST.get("allowed_origins", "").split(),
            rate_limit=_read_limit(request, "rate_limit"),
            burst_limit=_read_limit(request, "burst_limit"),
            intent=Intent(scope.actor),
        )
        return _changed(request, scope, _("Saved {name}.").format(name=key.name))

    return governed(request, "access/_key_edit_dialog.html", context, save)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.KEY_MANAGE)
@needs_fresh_sign_in
def set_evidence(request: HttpRequest, scope: Scope, selector: str) -> HttpResponse:
    key = _find(scope, selector)
    typed = request.POST.get("evidence", " ".join(key.evidence))
    context = {"scope": scope, "key": key, "value": typed}

    def save() -> HttpResponse:
        services.set_evidence(key=key, kinds=typed.split(), intent=Intent(scope.actor))
        return _changed(request, scope, _("Saved {name}.").format(name=key.name))

    return governed(request, "access/_key_evidence_dialog.html", context, save)


@require_POST
@project_page(Permission.FLAG_VIEW)
def confirm_key(request: HttpRequest, scope: Scope, selector: str) -> HttpResponse:
    key = _find(scope, selector)
    services.confirm_key(key=key, intent=Intent(scope.actor))
    return _changed(request, scope, _("You confirmed {name}.").format(name=key.name))


def _find(scope: Scope, selector: str) -> ApiKey:
    key = get_object_or_404(selectors.keys_of(scope.project), selector=selector)
    key.environment.project = scope.project
    return key


def _changed(request: HttpRequest, scope: Scope, notice: str) -> HttpResponse:
    return replace_part(request, "access/keys", _context(scope), notice)


def _read_limit(request: HttpRequest, name: str) -> int | None:
    """A whole number, or None for an empty field. Raises Invalid for anything else."""
    text = request.POST.get(name, "").strip()
    if not text:
        return None
    number = read_whole(text, most=MOST_REQUESTS)
    if not number:
        raise Invalid.of(
            name,
            _("Enter a whole number from 1 to {most}, or nothing for no limit."),
            most=f"{MOST_REQUESTS:,}",
        )
    return number


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.KEY_MANAGE)
def revoke_key(request: HttpRequest, scope: Scope, selector: str) -> HttpResponse:
    key = _find(scope, selector)

    def save() -> HttpResponse:
        services.revoke_key(key=key, intent=Intent(scope.actor))
        return _changed(request, scope, _("Revoked {name}.").format(name=key.name))

    return governed(request, "access/_revoke_dialog.html", {"scope": scope, "key": key}, save)
