import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.utils.log import log_response
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.errors import PROBLEM, AviaryError, problem

logger = logging.getLogger(__name__)


class TooLarge(APIException):
    status_code = 413
    default_code = "too_large"

    def __init__(self, most: int) -> None:
        super().__init__(f"The body is larger than the {most} bytes that this address takes.")


class LengthRequired(APIException):
    status_code = 411
    default_detail = "Send Content-Length: a body whose length is not said is not read."
    default_code = "length_required"


class Busy(APIException):
    """The database is away, or somebody else has it for too long."""

    status_code = 503
    default_detail = "The database is busy or away. Nothing was saved; try again in a moment."
    default_code = "busy"
    wait = 1
    log_level = "debug"  # the log has it already


class PreconditionRequired(APIException):
    status_code = 428
    default_detail = "Send If-Match with the ETag that you read, so that you overwrite only that."
    default_code = "precondition_required"


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
    response = Response(document, status=status, headers=_headers(error), content_type=PROBLEM)
    if level := getattr(error, "log_level", ""):  # else every 503 is an error of ours
        log_response("%s", detail, response=response, request=context.get("request"), level=level)
    return response


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
