"""What every endpoint of the management API is."""

from collections.abc import Collection
from typing import Any, ClassVar

from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.lib.api import idempotency, published
from portal.lib.api.endpoints import tagged
from portal.lib.api.parsers import JSONOnly, MergePatchParser
from portal.lib.api.problems import LengthRequired
from portal.lib.errors import Invalid

READS = ("GET", "HEAD")


class ApiView(APIView):
    """An endpoint of the management API; answers 404 for whatever is not of the key's project.

    Every read carries an ETag and answers 304 to who has it; every write may carry an
    Idempotency-Key and is then done once.
    """

    content_negotiation_class = JSONOnly
    # Whether Idempotency-Key keeps the answer; not where nothing is written, and an answer says
    # of somebody what nobody should keep.
    keeps_answers: ClassVar[bool] = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        """As DRF's, with the handler run once where the request says so."""
        published.start()
        self.args, self.kwargs = args, kwargs
        asked = self.initialize_request(request, *args, **kwargs)
        self.request = asked
        self.headers = self.default_response_headers
        try:
            self.initial(asked, *args, **kwargs)
            response = (
                idempotency.respond(asked, lambda: self._respond(asked))
                if self.keeps_answers
                else self._respond(asked)
            )
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(asked, response, *args, **kwargs)
        return self.response

    def get_parsers(self) -> list[BaseParser]:
        """Merge patches are taken where something can be patched."""
        patches = [MergePatchParser()] if hasattr(self, "patch") else []
        return [*super().get_parsers(), *patches]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Who is let in is told what of the request cannot be read."""
        super().initial(request, *args, **kwargs)
        method = str(request.method)
        name = method.lower()
        handler = getattr(self, name, None) if name in self.http_method_names else None
        if handler is None:
            raise MethodNotAllowed(method)
        _refuse_unknown(request, getattr(handler, "parameters", ()))
        if _is_chunked(request):
            raise LengthRequired
        if method == "PUT":
            published.ignore_in(request.data)

    def finalize_response(
        self, request: HttpRequest | Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """With its ETag; without a body for who has it already."""
        final: Response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        if request.method in READS:
            return tagged(request, final)
        published.add_to(final)
        return final

    def _respond(self, request: Request) -> Response:
        """What the endpoint answers, problems included; faults of ours are raised."""
        try:
            handler = getattr(self, str(request.method).lower())
            return handler(request, *self.args, **self.kwargs)  # type: ignore[no-any-return]
        except Exception as error:
            return self.handle_exception(error)


def _refuse_unknown(request: Request, known: Collection[str]) -> None:
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        text = _("There is no such parameter.")
        raise Invalid({name[:100].replace("\0", ""): text for name in unknown})


def _is_chunked(request: Request) -> bool:
    """A body whose length is not said would be taken for none at all."""
    chunked = bool(request.META.get("HTTP_TRANSFER_ENCODING"))
    return chunked and not request.META.get("CONTENT_LENGTH")
