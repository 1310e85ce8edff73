"""Shapes in the schema, and what all operations have in common, written into it once."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.hooks import postprocess_schema_enums
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import append_meta, build_object_type

from portal.lib.api.idempotency import HEADER, MAX_CHARS, REPLAYED, WRITES
from portal.lib.api.published import FIELD
from portal.lib.api.shapes import Field, Shape
from portal.lib.problems import PROBLEM

Schema = dict[str, Any]
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_TEXT: Final = {"type": "string"}
_KEY: Final = {
    "in": "header",
    "name": HEADER,
    "schema": {"type": "string", "pattern": "^[!-~]+$", "maxLength": MAX_CHARS},
    "description": "A name of your own for this request, such as a UUID. Who sends the same again "
    "within 24 hours gets the answer of the first time, and nothing is done twice.",
}
_KNOWN: Final = {
    "in": "header",
    "name": "If-None-Match",
    "schema": _TEXT,
    "description": "The ETag of what you have; where that is still so, the answer is 304.",
}
_ETAG: Final = {"schema": _TEXT, "description": "Names exactly this; for If-Match and 304."}
_LINK: Final = {"schema": _TEXT, "description": 'The address of the next page, rel="next".'}
_REPLAYED: Final = {
    "schema": {"type": "string", "enum": ["true"]},
    "description": "There where the answer is that of the first time.",
}
_PUBLISHED: Final = {
    "type": "boolean",
    "description": "Whether every evaluator that reports has the change when this is answered. "
    "There where something changed that evaluators serve; ignored where it is sent back.",
}
_TRACE: Final = {"schema": _TEXT, "description": "The request's id, also kept in the history."}
_ALL: Final = {"503": "The database is busy or away. Nothing was saved."}
_GOOD: Final = {"200": "As it is now.", "201": "It is there.", "204": "It is done."}
_OF_READS: Final = {"304": "You have it already."}
_OF_WRITES: Final = {
    "409": f"The request with this {HEADER} is still running.",
    "411": "The body comes in parts without Content-Length.",
    "422": f"This {HEADER} was used for another request.",
}


class DescribedShape(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A shape as a component of the schema."""

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
    """A schema with references in place of the shapes in it."""
    if isinstance(part, Shape):
        component = auto_schema.resolve_serializer(part, "response")  # type: ignore[arg-type]
        return dict(component.ref)
    if isinstance(part, Mapping):
        return {name: _with_components(inner, auto_schema) for name, inner in part.items()}
    return part


def finish(result: Schema, **arguments: Any) -> Schema:
    """The schema with the headers and problems that every read, or every write, has."""
    result = postprocess_schema_enums(result, **arguments)  # type: ignore[no-untyped-call]
    for path in result["paths"].values():
        for method in _METHODS:
            if method in path:
                (_finish_read if method == "get" else _finish_write)(path[method])
                _finish_any(path[method])
    _close(result)
    _add_published(result)
    return result


def _add_published(result: Schema) -> None:
    """What a write answers is what a read does, and whether it is live."""
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
    """The components that a part of the schema refers to."""
    return re.findall(r'"#/components/schemas/(\w+)"', json.dumps(part, default=str))


def _finish_read(operation: Schema) -> None:
    parameters = operation.setdefault("parameters", [])
    is_list = any(one["name"] == "cursor" for one in parameters)
    parameters.append(_KNOWN)
    good = operation["responses"]["200"].setdefault("headers", {})
    good["ETag"] = _ETAG
    if is_list:
        good["Link"] = _LINK
    operation["responses"]["304"] = {
        "description": _OF_READS["304"],
        "headers": {"ETag": _ETAG},
    }


def _finish_write(operation: Schema) -> None:
    operation.setdefault("parameters", []).append(_KEY)
    has_body = "requestBody" in operation
    for status, text in _OF_WRITES.items():
        if has_body or status != "411":
            operation["responses"].setdefault(status, _problem(text))
    for response in operation["responses"].values():
        response.setdefault("headers", {})[REPLAYED] = _REPLAYED


def _finish_any(operation: Schema) -> None:
    for status, text in _ALL.items():
        operation["responses"].setdefault(status, _problem(text))
    for status, response in operation["responses"].items():
        response["description"] = response.get("description") or _GOOD.get(status, "")
        response.setdefault("headers", {})["X-Request-ID"] = _TRACE
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _problem(text: str) -> Schema:
    shape = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {PROBLEM: {"schema": shape}}}
