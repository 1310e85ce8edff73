import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest

from flags.core.parsing import configuration_from
from flags.core.web import rows
from flags.core.web.rows import Cell, FlagRow, Marks
from flags.engine import Configuration
from flags.models import Flag, FlagConfiguration
from flags.targeting import documents
from flags.targeting.documents import catalogue_for
from flags.targeting.form import Form, write_base
from flags.targeting.nodes import Drawing
from flags.targeting.trying import NOBODY, sample_context
from portal.access.web.scope import Scope
from portal.approvals import selectors as approvals
from portal.approvals.models import ChangeRequest
from portal.approvals.web.preflight import Revising, drift_of
from portal.lib import clock
from portal.lib.merging import Side


def page_context(
    scope: Scope,
    configuration: FlagConfiguration,
    asked: ChangeRequest | None = None,
    prefer: Side = Side.MINE,
) -> dict[str, object]:
    flag, environment = configuration.flag, configuration.environment
    drift = drift_of(asked, prefer) if asked else None
    document = drift.document if drift else configuration.document
    form = documents.to_form(document, flag.definition, with_switch=asked is not None)
    return side_context(scope, configuration, rows.read_marks([environment], [flag])) | {
        "revise": Revising.of(asked),
        "drift": drift,
        "edited": asked is not None,
        "pending": approvals.open_requests(
            scope.project, subject_kind="flag", subject=flag.key, environment=environment
        ),
        "drawing": Drawing(form, {}, catalogue=catalogue_for(flag)),
        "base": write_base(configuration.document),
        "snippets": snippets(flag),
        **_who_gets_it(configuration, configuration_from(document, flag.definition)),
    }


def side_context(
    scope: Scope, configuration: FlagConfiguration, marked: tuple[Marks, bool]
) -> dict[str, object]:
    """Of the parts beside the form, which a switch changes; ``marked`` is of rows.read_marks."""
    marks, unused = marked
    row = FlagRow(configuration.flag, marks=marks)
    return {
        "scope": scope,
        "flag": row.flag,
        "row": row,
        "cell": next(one for one in row.cells if one.configuration.pk == configuration.pk),
        "no_evaluator": unused,
        "tab": "targeting",
    }


def _who_gets_it(configuration: FlagConfiguration, wanted: Configuration) -> dict[str, object]:
    definition = configuration.flag.definition
    return sample_context(configuration, wanted, definition, NOBODY, clock.now())


def form_context(
    request: HttpRequest,
    scope: Scope,
    configuration: FlagConfiguration,
    form: Form,
    *,
    errors: Mapping[str, str] | None = None,
    focus: str = "",
) -> dict[str, object]:
    """The context of the form alone, drawn anew with what was sent."""
    flag = configuration.flag
    return {
        "scope": scope,
        "flag": flag,
        "cell": Cell(flag, configuration),
        "drawing": Drawing(form, errors or {}, focus, catalogue_for(flag)),
        "base": request.POST.get("base", ""),
        "reshuffled": form.get("salt") != configuration.document["salt"],
        "revise": Revising.sent(request),
        "edited": True,
    }


# How an application asks for a flag: short programs that work when pasted.


_METHODS = {
    "boolean": ("boolean", "Boolean", "false", "False"),
    "string": ("string", "String", '""', '""'),
    "integer": ("integer", "Number", "0", "0"),
    "number": ("float", "Number", "0", "0.0"),
    "object": ("object", "Object", "{}", "{}"),
}


@dataclass(frozen=True, slots=True)
class Snippet:
    id: str
    title: str
    code: str


def snippets(flag: Flag) -> list[Snippet]:
    return [
        Snippet("curl", "curl", _curl(flag.key)),
        Snippet("python", "Python", _python(flag)),
        Snippet("javascript", "JavaScript", _javascript(flag)),
    ]


def _curl(key: str) -> str:
    address = f"{settings.EVALUATOR_URL}/ofrep/v1/evaluate/flags/{quote(key, safe='')}"
    body = json.dumps({"context": {"targetingKey": "user-1"}})
    return (
        f"curl -X POST {shlex.quote(address)} \\\n"
        '  -H "Authorization: Bearer $AVIARY_KEY" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}"
    )


def _python(flag: Flag) -> str:
    method, _js, _default, default = _METHODS[flag.value_type]
    return f"""# pip install openfeature-provider-ofrep
import os
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

api.set_provider(OFREPProvider(
    "{settings.EVALUATOR_URL}",
    headers_factory=lambda: {{"Authorization": "Bearer " + os.environ["AVIARY_KEY"]}},
))
client = api.get_client()
value = client.get_{method}_value({json.dumps(flag.key)}, {default}, EvaluationContext("user-1"))"""


def _javascript(flag: Flag) -> str:
    _method, method, default, _py = _METHODS[flag.value_type]
    return f"""// npm install @openfeature/server-sdk @openfeature/ofrep-provider
import {{ OpenFeature }} from "@openfeature/server-sdk";
import {{ OFREPProvider }} from "@openfeature/ofrep-provider";

await OpenFeature.setProviderAndWait(new OFREPProvider({{
  baseUrl: "{settings.EVALUATOR_URL}",
  headers: [["Authorization", `Bearer ${{process.env.AVIARY_KEY}}`]],
}}));
const client = OpenFeature.getClient();
const value = await client.get{method}Value(
  {json.dumps(flag.key)}, {default}, {{ targetingKey: "user-1" }});"""
