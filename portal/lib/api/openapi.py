import json
import re
from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.hooks import postprocess_schema_enums
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import append_meta, build_object_type

from portal.lib.api.idempotency import WRITES
from portal.lib.api.published import FIELD
from portal.lib.api.shapes import Field, Shape

Schema = dict[str, Any]
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

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> Schema:
        shape: Shape = self.target
        required = [name for name, field in shape.fields.items() if not field.optional]
        described: Schema = build_object_type(
            {name: _describe(field, auto_schema) for name, field in shape.fields.items()},
            None if shape.partial else sorted(required),
            shape.text,
        )
        return described


def _describe(field: Field, auto_schema: AutoSchema) -> Schema:
    words = {**field.words, **({"nullable": True} if field.nullable else {})}
    if field.text:
        words["description"] = field.text
    if field.nullable and "enum" in words:
        words["enum"] = [*words["enum"], None]
    described: Schema = append_meta(_with_components(field.kind.schema, auto_schema), words)
    return described


def _with_components(part: Any, auto_schema: AutoSchema) -> Any:
    if isinstance(part, Shape):
        component = auto_schema.resolve_serializer(part, "response")  # type: ignore[arg-type]
        return dict(component.ref)
    if isinstance(part, Mapping):
        return {name: _with_components(inner, auto_schema) for name, inner in part.items()}
    return part


def finish(result: Schema, **arguments: Any) -> Schema:
    result = postprocess_schema_enums(result, **arguments)  # type: ignore[no-untyped-call]
    _close(result)
    _add_published(result)
    return result


def _add_published(result: Schema) -> None:
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


def _close(result: Schema) -> None:
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
