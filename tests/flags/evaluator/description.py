"""OFREP as we answer it, in OpenAPI, for the generated requests.

In our own words and tighter than the published description: what that one leaves open, or gets
wrong (its own example of an answer does not match it, DEFAULT and a FLAG_NOT_FOUND among many
are missing), is written down here.
"""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
SENTENCE: Schema = {"type": "string", "minLength": 1}
CODES = ["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL"]


def _object(required: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


METADATA: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["boolean", "string", "number"]},
}
SUCCESS = _object(
    "key reason variant value metadata",
    key=TEXT,
    reason={"enum": ["STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED", "DEFAULT"]},
    variant=TEXT,
    value={"type": ["boolean", "string", "number", "object"]},
    metadata=METADATA,
)
FAILURE = _object(
    "key errorCode errorDetails", key=TEXT, errorCode={"enum": CODES}, errorDetails=SENTENCE
)
NOT_FOUND = _object(
    "key errorCode errorDetails",
    key=TEXT,
    errorCode={"const": "FLAG_NOT_FOUND"},
    errorDetails=SENTENCE,
)
BULK_FAILURE = _object("errorCode errorDetails", errorCode={"enum": CODES}, errorDetails=SENTENCE)
ERROR = _object("errorDetails", errorDetails=SENTENCE)
STREAM = _object(
    "type endpoint inactivityDelaySec",
    type={"const": "sse"},
    endpoint=_object("requestUri", requestUri={"type": "string", "pattern": "^/"}),
    inactivityDelaySec={"type": "integer", "minimum": 1},
)
BULK = _object(
    "flags eventStreams",
    flags={"type": "array", "items": {"oneOf": [SUCCESS, FAILURE]}},
    eventStreams={"type": "array", "items": STREAM},
)

INSTANT: Schema = {
    "oneOf": [
        # Instants to come are waited for; that has a test of its own.
        {"type": "integer", "minimum": 0, "maximum": 1_800_000_000},
        {"type": "string", "format": "date-time"},
    ]
}
CONTEXT: Schema = {
    "type": "object",
    "properties": {
        "targetingKey": TEXT,
        "country": {"enum": ["DE", "FR", 7, None, ["DE"]]},
    },
}
REQUEST: Schema = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["context"],
                "properties": {"context": CONTEXT},
            }
        }
    },
}


def _answers(**schemas: Schema) -> Schema:
    """By status, written as ``_200``."""
    return {
        status[1:]: {
            "description": "…",
            "content": {"application/json": {"schema": schema}},
        }
        for status, schema in schemas.items()
    }


REFUSED = _answers(_401=ERROR, _403=ERROR, _405=ERROR, _413=ERROR, _429=ERROR, _503=ERROR)
BULK_ANSWERS = _answers(_200=BULK, _400=BULK_FAILURE) | REFUSED
BULK_ANSWERS["304"] = {"description": "The answer is what the sender has."}
BULK_ANSWERS["200"]["headers"] = {
    "ETag": {"required": True, "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$'}},
    "Last-Modified": {"required": True, "schema": TEXT},
}


PARAMETERS: list[Schema] = [
    {"in": "query", "name": "flagConfigEtag", "schema": TEXT},
    {
        "in": "query",
        "name": "flagConfigLastModified",
        "schema": {
            "oneOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "format": "date-time"},
            ]
        },
    },
    {"in": "header", "name": "If-None-Match", "schema": TEXT},
]


def describe(keys: list[str]) -> Schema:
    """The description, with some flags' keys to ask for among any others."""
    key = {"anyOf": [{"enum": keys}, {"type": "string", "minLength": 1}]}
    return {
        "openapi": "3.1.0",
        "info": {"title": "OFREP", "version": "0.3.0"},
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            }
        },
        "paths": {
            "/ofrep/v1/evaluate/flags/{key}": {
                "post": {
                    "operationId": "evaluate",
                    "parameters": [{"in": "path", "name": "key", "required": True, "schema": key}],
                    "requestBody": REQUEST,
                    "responses": _answers(_200=SUCCESS, _400=FAILURE, _404=NOT_FOUND) | REFUSED,
                }
            },
            "/ofrep/v1/evaluate/flags": {
                "post": {
                    "operationId": "evaluateAll",
                    "parameters": PARAMETERS,
                    "requestBody": REQUEST,
                    "responses": BULK_ANSWERS,
                }
            },
        },
    }
