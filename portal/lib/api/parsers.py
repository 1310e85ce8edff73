from collections.abc import Mapping
from typing import Any, Final

from django.utils.http import parse_header_parameters
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from portal.lib import strict_json
from portal.lib.api.problems import TooLarge

MAX_BODY_BYTES: Final = 1024 * 1024
_CHUNK: Final = 64 * 1024


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


def merge_patch(current: object, patch: object) -> object:
    """``current`` as ``patch`` changes it, by RFC 7396: null removes, objects merge."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(current) if isinstance(current, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
