"""Flags as files to download, and the settings of a project: naming rule, traffic sampling."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from flags import exports, samples
from flags.exporters.base import SYNTAXES
from flags.services import naming, sampling
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.lib.web.pages import Refusal, governed, redirect_to, render_page

_MEDIA_TYPES = {"json": "application/json", "yaml": "application/yaml"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody chose; without an environment all of them."""

    environment: Environment | None
    format_name: str
    syntax: str

    @property
    def problem(self) -> str:
        """Why there is no such file; empty if there is."""
        if self.format_name == "flagd" and self.environment is None:
            return _("A file for flagd is of one environment: choose it.")
        return ""

    def export(self, scope: Scope) -> exports.Export:
        """The file. Raises Invalid where there is none."""
        if self.problem:
            raise Invalid({"environment": self.problem})
        if self.environment is None:
            return exports.export_project(scope.project)
        return exports.export_environment(self.environment, format_name=self.format_name)

    def file_name(self, scope: Scope) -> str:
        place = f"-{self.environment.key}" if self.environment else ""
        kind = ".flagd" if self.format_name == "flagd" else ""
        return f"{scope.project.key}{place}{kind}.{self.syntax}"


@require_safe
@project_page(Permission.FLAG_VIEW)
def choose_file(request: HttpRequest, scope: Scope) -> HttpResponse:
    """What there is to download, and what the file would leave out."""
    wanted = _read(request.GET, scope)
    context = {
        "scope": scope,
        "wanted": wanted,
        "query": request.GET.urlencode(),
        "environments": scope.environments,
        "export": None if wanted.problem else wanted.export(scope),
    }
    return render_page(request, "flags/files.html", "flags/_files.html", context)


@require_safe
@project_page(Permission.FLAG_VIEW)
def download_file(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The file itself."""
    wanted = _read(request.GET, scope)
    text = SYNTAXES[wanted.syntax](wanted.export(scope).document)
    headers = {
        "Content-Disposition": f'attachment; filename="{wanted.file_name(scope)}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(text, content_type=_MEDIA_TYPES[wanted.syntax], headers=headers)


def _read(query: QueryDict, scope: Scope) -> Wanted:
    """What the address asks for; what it does not know is the usual."""
    format_name, syntax = query.get("format", ""), query.get("syntax", "")
    return Wanted(
        environment=scope.one_or_all(query.get("environment", "")),
        format_name=format_name if format_name in exports.FORMATS else exports.FORMATS[0],
        syntax=syntax if syntax in SYNTAXES else "yaml",
    )


# How a project names its flags and whether it keeps samples: the pages, and setting both.


FIELDS = ("pattern", "example", "hint")


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def naming_rule(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Everybody may read it; who may not set it is refused by the service."""
    values = {name: request.POST.get(name, "") for name in FIELDS}

    def context(_refusal: Refusal) -> dict[str, object]:
        rule = naming.rule_of(scope.project)
        stored = rule.document if rule else {}
        return {"scope": scope, "values": values if request.method == "POST" else stored}

    def save() -> HttpResponse:
        naming.set_naming_rule(project=scope.project, intent=Intent(scope.actor), **values)
        address = reverse("naming-rule", args=[scope.project.key])
        return redirect_to(request, address, _("Saved. Flags that exist keep their keys."))

    return governed(request, ("flags/naming.html", "flags/_naming_form.html"), context, save)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def context_sampling(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Everybody may read it; who may not set it is refused by the service."""

    def save() -> HttpResponse:
        sampled = request.POST.get("sampled") == "1"
        sampling.set_sampling(project=scope.project, sampled=sampled, intent=Intent(scope.actor))
        address = reverse("context-sampling", args=[scope.project.key])
        on, off = (
            _("Samples are kept from now on."),
            _("No samples are kept; those there were are gone."),
        )
        return redirect_to(request, address, on if sampled else off)

    def context(_refusal: Refusal) -> dict[str, object]:
        return {
            "scope": scope,
            "sampled": samples.is_sampled(scope.project),
            "most": samples.MOST,
            "hours": samples.KEPT_FOR.days * 24,
        }

    return governed(request, ("flags/sampling.html", "flags/_sampling_form.html"), context, save)
