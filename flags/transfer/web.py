from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from flags.transfer import exports
from flags.transfer.exporters.base import SYNTAXES
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib.errors import Invalid
from portal.lib.web.pages import render_page

_MEDIA_TYPES = {"json": "application/json", "yaml": "application/yaml"}


@dataclass(frozen=True, slots=True)
class ExportChoice:
    environment: Environment | None
    format_name: str
    syntax: str

    @property
    def problem(self) -> str:
        if self.format_name == "flagd" and self.environment is None:
            return _("A file for flagd is of one environment: choose it.")
        return ""

    def export(self, scope: Scope) -> exports.Export:
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
    wanted = _read(request.GET, scope)
    context = {
        "scope": scope,
        "wanted": wanted,
        "query": request.GET.urlencode(),
        "environments": scope.environments,
        "export": None if wanted.problem else wanted.export(scope),
    }
    return render_page(request, "flags/transfer/files.html", "flags/transfer/_files.html", context)


@require_safe
@project_page(Permission.FLAG_VIEW)
def download_file(request: HttpRequest, scope: Scope) -> HttpResponse:
    wanted = _read(request.GET, scope)
    text = SYNTAXES[wanted.syntax](wanted.export(scope).document)
    headers = {
        "Content-Disposition": f'attachment; filename="{wanted.file_name(scope)}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(text, content_type=_MEDIA_TYPES[wanted.syntax], headers=headers)


def _read(query: QueryDict, scope: Scope) -> ExportChoice:
    format_name, syntax = query.get("format", ""), query.get("syntax", "")
    return ExportChoice(
        environment=scope.one_or_all(query.get("environment", "")),
        format_name=format_name if format_name in exports.FORMATS else exports.FORMATS[0],
        syntax=syntax if syntax in SYNTAXES else "yaml",
    )
