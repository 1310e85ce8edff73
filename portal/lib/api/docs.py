import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NoReturn

from django.conf import settings
from django.http import Http404
from django.utils import translation
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.hooks import postprocess_schema_enums
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import append_meta, build_object_type
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.lib.api.idempotency import WRITES
from portal.lib.api.parsers import JSONOnly
from portal.lib.api.published import FIELD
from portal.lib.api.shapes import Field, Shape

Document = dict[str, Any]
_PUBLISHED: Final = {
    "type": "boolean",
    "description": "Whether every evaluator that reports has the change when this is answered. "
    "There where something changed that evaluators serve; ignored where it is sent back.",
}


class DescribedShape(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    target_class = Shape
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: str) -> str:
        return str(self.target.name)

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> Document:
        shape: Shape = self.target
        required = [name for name, field in shape.fields.items() if not field.optional]
        described: Document = build_object_type(
            {name: _describe(field, auto_schema) for name, field in shape.fields.items()},
            None if shape.partial else sorted(required),
            shape.text,
        )
        return described


def _describe(field: Field, auto_schema: AutoSchema) -> Document:
    words = {**field.words, **({"nullable": True} if field.nullable else {})}
    if field.text:
        words["description"] = field.text
    if field.nullable and "enum" in words:
        words["enum"] = [*words["enum"], None]
    described: Document = append_meta(_with_components(field.kind.schema, auto_schema), words)
    return described


def _with_components(part: Any, auto_schema: AutoSchema) -> Any:
    if isinstance(part, Shape):
        component = auto_schema.resolve_serializer(part, "response")  # type: ignore[arg-type]
        return dict(component.ref)
    if isinstance(part, Mapping):
        return {name: _with_components(inner, auto_schema) for name, inner in part.items()}
    return part


def finish(result: Document, **arguments: Any) -> Document:
    result = postprocess_schema_enums(result, **arguments)  # type: ignore[no-untyped-call]
    _close(result)
    _add_published(result)
    return result


def _add_published(result: Document) -> None:
    shapes = result["components"]["schemas"]
    for path in result["paths"].values():
        for method in WRITES:
            for status in ("200", "201"):
                response = path.get(method.lower(), {}).get("responses", {}).get(status, {})
                content = response.get("content", {}).get("application/json", {})
                name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                if "properties" in shapes.get(name, {}):
                    written = {**shapes[name]["properties"], FIELD: _PUBLISHED}
                    shapes[f"{name}Written"] = {**shapes[name], "properties": written}
                    content["schema"] = {"$ref": f"#/components/schemas/{name}Written"}


def _close(result: Document) -> None:
    """What is sent has the fields that are described and no others: they are refused by name."""
    shapes = result["components"]["schemas"]
    operations = (one for path in result["paths"].values() for one in path.values())
    names = {
        name
        for operation in operations
        if isinstance(operation, dict)
        for name in _names_in(operation.get("requestBody"))
    }
    seen: set[str] = set()
    while names - seen:
        name = (names - seen).pop()
        seen.add(name)
        names |= set(_names_in(shapes[name]))
        if "properties" in shapes[name]:
            shapes[name]["additionalProperties"] = False


def _names_in(part: object) -> list[str]:
    return re.findall(r'"#/components/schemas/(\w+)"', json.dumps(part, default=str))


_STYLE: Final = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


@cache
def describe() -> dict[str, Any]:
    """The OpenAPI document: it takes half a second to make, and changes only with the code."""
    with translation.override(settings.LANGUAGE_CODE):
        made: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return made


class _Made(SchemaGenerator):
    """What was made already, the same for every language and version."""

    def get_schema(self, request: object = None, public: bool = False) -> dict[str, Any]:
        return describe()


class Schema(SpectacularAPIView):
    """The OpenAPI document; anyone may read it."""

    generator_class = _Made
    authentication_classes: list[type] = []
    permission_classes: list[type] = []


class Docs(SpectacularSwaggerSplitView):
    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        response.add_post_render_callback(_allow_styles)
        return response


def _allow_styles(response: Response) -> None:
    """The site's policy, widened by what Swagger UI needs: its one style block, by its hash, and
    style attributes, which its scripts set."""
    hashes = (hashlib.sha256(text).digest() for text in _STYLE.findall(response.content))
    blocks = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in hashes)
    response["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self'; style-src-elem 'self' {blocks}; "
        "style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )


class NoSuchEndpoint(APIView):
    content_negotiation_class = JSONOnly

    @extend_schema(exclude=True)
    def get(self, request: Request) -> NoReturn:
        raise Http404

    post = put = patch = delete = get


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "portal.access.api.scope.ApiKeyAuthentication"
    name = ["bearerKey", "headerKey"]

    def get_security_definition(self, auto_schema: object) -> list[dict[str, str]]:
        text = "An admin key of the environment, from `manage.py createkey --kind admin`."
        return [
            {"type": "http", "scheme": "bearer", "description": text},
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": text},
        ]
