"""How an application asks for a flag: short programs that work when pasted."""

import json
import shlex
from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings

from flags.models import Flag

_METHODS = {
    "boolean": ("boolean", "Boolean", "false", "False"),
    "string": ("string", "String", '""', '""'),
    "integer": ("integer", "Number", "0", "0"),
    "number": ("float", "Number", "0", "0.0"),
    "object": ("object", "Object", "{}", "{}"),
}


@dataclass(frozen=True, slots=True)
class Snippet:
    """A program in one language."""

    id: str
    title: str
    code: str


def snippets(flag: Flag) -> list[Snippet]:
    """The same question in several languages; the key comes from the environment."""
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
