import base64
import hashlib
import re
from functools import cache
from typing import Any, Final, NoReturn

from django.conf import settings
from django.http import Http404
from django.utils import translation
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.lib.api import openapi  # noqa: F401 - tells drf-spectacular what shapes are
from portal.lib.api.parsers import JSONOnly

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
