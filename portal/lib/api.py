"""What every endpoint of the management API shares: strict bodies in, readable problems out."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib import strict_json
from portal.lib.errors import AviaryError
from portal.lib.problems import PROBLEM, problem

logger = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 1024 * 1024
_CHUNK: Final = 64 * 1024


class TooLarge(APIException):
    """The body is larger than the endpoint takes."""

    status_code = 413
    default_code = "too_large"

    def __init__(self, most: int) -> None:
        super().__init__(f"The body is larger than the {most} bytes that this address takes.")


class LengthRequired(APIException):
    """The body comes in parts, and nobody said how long it is."""

    status_code = 411
    default_detail = "Send Content-Length: a body whose length is not said is not read."
    default_code = "length_required"


class Busy(APIException):
    """The database is away, or somebody else has it for too long."""

    status_code = 503
    default_detail = "The database is busy or away. Nothing was saved; try again in a moment."
    default_code = "busy"
    wait = 1


class PreconditionRequired(APIException):
    """The request must say which version it changes."""

    status_code = 428
    default_detail = "Send If-Match with the ETag that you read, so that you overwrite only that."
    default_code = "precondition_required"


class JSONOnly(DefaultContentNegotiation):
    """Answers in JSON whatever Accept says, and leaves ``?format=`` to the importers."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[Any, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class StrictJSONParser(BaseParser):
    """JSON in UTF-8, up to the view's ``max_body_bytes`` (1 MiB); see strict_json for the rest."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        context = parser_context or {}
        most = getattr(context.get("view"), "max_body_bytes", MAX_BODY_BYTES)
        _check_charset(media_type or "")
        _check_length(context, most)
        try:
            return strict_json.loads(_read(stream, most))
        except strict_json.NotStrict as error:
            raise ParseError(str(error)) from None


class MergePatchParser(StrictJSONParser):
    """The media type that RFC 7396 gives to merge patches."""

    media_type = "application/merge-patch+json"


def _check_charset(media_type: str) -> None:
    _type, parameters = parse_header_parameters(media_type)
    charset = parameters.get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(charset[:40], "Send JSON in UTF-8.")


def _check_length(context: Mapping[str, Any], most: int) -> None:
    """By the header alone, before anything is read."""
    request = context.get("request")
    length = request.META.get("CONTENT_LENGTH") if request is not None else None
    text = str(length or "0").lstrip("0")
    if len(text) > 15 or (text.isdigit() and int(text) > most):
        raise TooLarge(most)


def _read(stream: Any, most: int) -> bytes:
    body = bytearray()
    while chunk := stream.read(_CHUNK):
        body += chunk
        if len(body) > most:
            raise TooLarge(most)
    return bytes(body)


def problem_response(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """The answer for an error, as application/problem+json (RFC 9457); None for a fault of ours."""
    error = _known(error)
    if isinstance(error, AviaryError):
        error = _as_seen(error, context.get("request"))
    if isinstance(error, APIException):
        status, detail = error.status_code, _text(error.detail)
    elif isinstance(error, AviaryError):
        status, detail = error.status, str(error)
    else:
        return None
    extras = error.extras if isinstance(error, AviaryError) else {}
    document = problem(status, detail, **extras)
    return Response(document, status=status, headers=_headers(error), content_type=PROBLEM)


def _as_seen(error: AviaryError, request: Request | None) -> AviaryError:
    """Without what stands in environments that the caller's key does not reach."""
    environment = getattr(getattr(request, "user", None), "environment", None)
    return error.seen_from(environment.key) if environment else error


def _known(error: Exception) -> Exception:
    if isinstance(error, Http404):
        return _NotFound()
    if isinstance(error, PermissionDenied):
        return _Denied(str(error) or None)
    if isinstance(error, OperationalError | InterfaceError):
        logger.warning("a request found the database away: %s", type(error).__name__)
        return Busy()
    return error


class _NotFound(APIException):
    status_code = 404
    default_detail = "There is no such thing, or it belongs to a project that the key is not for."


class _Denied(APIException):
    status_code = 403
    default_detail = "You may not do this."


def _headers(error: Exception) -> dict[str, str]:
    headers = {}
    if scheme := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(scheme)
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


def _text(detail: Any) -> str:
    """DRF's details may be lists and objects of texts."""
    if isinstance(detail, Mapping):
        return " ".join(f"{name}: {_text(one)}" for name, one in detail.items())
    return " ".join(map(_text, detail)) if isinstance(detail, list) else str(detail)
