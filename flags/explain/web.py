import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_http_methods

from flags.core.web.rows import Cell, FlagRow, find_flag
from flags.engine.document import TARGETING_KEY
from flags.explain import descriptions, rebuilding
from flags.explain.answers import ExplainedAnswer, explain_now
from flags.explain.causes import Approval, Cause
from flags.explain.history_reader import NotRecorded
from flags.explain.rebuilding import Answer
from flags.models import Flag
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.audit import filters
from portal.audit.web.lines import EventLine, lines
from portal.lib import clock, strict_json
from portal.lib.errors import Invalid
from portal.lib.web.pages import read_json, render_page

REFUSED = 422


@dataclass(frozen=True, slots=True)
class EnvironmentAnswer:
    environment: Environment
    answer: ExplainedAnswer
    words: descriptions.ExplanationWords | None

    @property
    def details(self) -> str:
        return str(self.answer.body.get("errorDetails", ""))


@dataclass(frozen=True, slots=True)
class CauseLine:
    line: EventLine
    approval: Approval | None
    agreed: str


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def explain(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    row = FlagRow(flag)
    context: dict[str, Any] = {"scope": scope, "flag": flag, "row": row, "tab": "explain"}
    status = 200
    if request.method == "POST":
        wanted = request.POST.getlist("environment")
        cells = [cell for cell in row.cells if cell.environment.key in wanted]
        try:
            context["columns"] = _answers_in(cells, question_in(request.POST).context)
            if not cells:
                raise Invalid({"environment": _("Choose an environment.")})
        except Invalid as error:
            context["problems"], status = list(error.problems.values()), REFUSED
    page = ("flags/explain/explain.html", "flags/explain/_explained_here.html")
    return render_page(request, *page, context, status=status)


def _answers_in(cells: Iterable[Cell], context: dict[str, Any]) -> list[EnvironmentAnswer]:
    now = clock.now()
    return [
        _answer_in(cell.environment, explain_now(cell.configuration, context, now=now))
        for cell in cells
    ]


def _answer_in(environment: Environment, answer: ExplainedAnswer) -> EnvironmentAnswer:
    found = answer.explanation
    return EnvironmentAnswer(environment, answer, descriptions.in_words(found) if found else None)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.AUDIT_VIEW)
def explain_past(request: HttpRequest, scope: Scope) -> HttpResponse:
    environments = scope.environments
    context: dict[str, Any] = {
        "scope": scope,
        "environments": environments,
        "given": {"flag": request.GET.get("flag", "")[:200]},
        "flags": Flag.objects.filter(project=scope.project).values_list("key", flat=True)[:500],
    }
    status = 200
    if request.method == "POST":
        try:
            context |= _answered(scope, request)
        except (Invalid, NotRecorded) as error:
            problems = error.problems.values() if isinstance(error, Invalid) else [str(error)]
            context["problems"], status = list(problems), REFUSED
    return render_page(
        request, "flags/explain/past.html", "flags/explain/_answered.html", context, status=status
    )


def _answered(scope: Scope, request: HttpRequest) -> dict[str, Any]:
    environment = scope.environment(request.POST.get("environment", ""))
    flag = request.POST.get("flag", "").strip()
    if not flag:
        raise Invalid({"flag": _("Name the flag by its key.")})
    answer = rebuilding.answer_at(
        project=scope.project,
        environment=environment.key,
        flag=flag,
        context=question_in(request.POST).context,
        moment=_moment(request),
    )
    return {
        "answer": answer,
        "column": _answer_in(environment, answer.explained),
        "causes": _in_words(answer),
    }


def _moment(request: HttpRequest) -> datetime:
    given = {"to": request.POST.get("at", ""), "zone": request.POST.get("zone", "")}
    query = filters.parse(given, project="", now=clock.now())
    if query.problems:
        raise Invalid(query.problems)
    moment = query.filters.until
    if moment is None or moment > clock.database_now():
        raise Invalid({"at": _("Choose a time in the past.")})
    return moment


def _in_words(answer: Answer) -> list[CauseLine]:
    told = lines([cause.row for cause in answer.causes])
    return [
        CauseLine(line, cause.approval, _agreed(cause))
        for line, cause in zip(told, answer.causes, strict=True)
    ]


def _agreed(cause: Cause) -> str:
    if cause.approval is None:
        return _("No approval required.")
    if cause.approval.is_emergency:
        return _("Not approved: emergency change.")
    people = [
        f"{one.get('person', '')} ({', '.join(map(str, one.get('roles', [])))})"
        for one in cause.approval.people
    ]
    text = ngettext("Approved by {people}.", "Approved by {people}.", len(people))
    return text.format(people=", ".join(people))


# A question about somebody, as a form asks it: who, and with which attributes. It comes in the
# body of a POST and is answered at once; nothing of it is kept or logged. To be passed on, it
# travels in the part of an address that browsers do not send.


_JSON: Final = re.compile(r'[\[{"]|-?\d|(true|false|null)$')
_LINE: Final = re.compile(r"([^=:\s]++)\s*+[=:](.*)")


@dataclass(frozen=True, slots=True)
class ExplainQuestion:
    unit: str = ""
    attributes: str = ""

    @property
    def context(self) -> dict[str, Any]:
        """The evaluation context. Raises Invalid where the attributes cannot be read."""
        context = _attributes(self.attributes.strip())
        if self.unit:
            context[TARGETING_KEY] = self.unit
        if not isinstance(context.get(TARGETING_KEY, ""), str):
            raise Invalid({"attributes": _("The targeting key is a text: put it in quotes.")})
        return context


def question_in(form: QueryDict) -> ExplainQuestion:
    return ExplainQuestion(form.get("unit", "").strip(), form.get("attributes", ""))


def _attributes(text: str) -> dict[str, Any]:
    if not text.startswith("{"):
        return dict(_lines(text.splitlines()))
    found: dict[str, Any] = read_json(text, "attributes")
    return found


def _lines(lines: Iterable[str]) -> Iterable[tuple[str, Any]]:
    for line in lines:
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise Invalid.of(
                "attributes",
                _("Write each attribute as a line like {line}, or all as one JSON object."),
                line="country = DE",
            )
        yield found[1], read_value(found[2].strip())


def read_value(text: str) -> object:
    if not _JSON.match(text):
        return text
    try:
        return strict_json.loads_text(text)
    except strict_json.NotStrict:
        return text
