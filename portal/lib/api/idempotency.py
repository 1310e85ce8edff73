"""Writes that are done once: what Idempotency-Key asks for.

The answers are kept with who called, above this package: DRF's user is a ``Caller``.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.api.endpoints import dumps
from portal.lib.errors import AviaryError, Invalid

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
MAX_CHARS: Final = 200
WRITES: Final = ("POST", "PUT", "PATCH", "DELETE")
_FORM: Final = re.compile(rf"[!-~]{{1,{MAX_CHARS}}}")

Respond = Callable[[], Response]


class Caller(Protocol):
    def answer_once(self, name: str, digest: str, respond: Respond) -> Response:
        """The answer to what was sent under this name, of before where it was sent before.

        Raises Reused where that was another request, and StillRunning.
        """


class Secretive(Response):
    """An answer with something that is shown once: a field that is null where it is replayed."""

    def __init__(self, data: dict[str, object], *, hidden: str, **options: Any) -> None:
        super().__init__(data, **options)
        self.hidden = hidden

    @property
    def kept(self) -> dict[str, object]:
        text = _("It was shown only once and is not stored. If it is lost, create another.")
        return {**self.data, self.hidden: None, "notice": text}


class Reused(AviaryError):
    """The same Idempotency-Key with another request."""

    status = 422

    def __init__(self) -> None:
        text = _("This Idempotency-Key was used for another request; take a new one for this.")
        super().__init__(text)


class StillRunning(AviaryError):
    """The first request with this Idempotency-Key has not been answered yet."""

    status = 409

    def __init__(self) -> None:
        text = _("The request with this Idempotency-Key is still running. Try again in a moment.")
        super().__init__(text)


def respond(request: Request, answer: Respond) -> Response:
    """What ``answer`` answers; the answer of before where the same was asked before.

    Raises Invalid for a malformed key, Reused where it was used for something else, and
    StillRunning.
    """
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None or request.method not in WRITES:
        return answer()
    if not _FORM.fullmatch(key):
        raise Invalid.of(
            HEADER, _("Send 1 to {most} visible ASCII characters, without blanks."), most=MAX_CHARS
        )
    return cast(Caller, request.user).answer_once(key, _digest(request), answer)


def _digest(request: Request) -> str:
    parts = [
        str(request.method),
        request.get_full_path(),
        request.META.get("HTTP_IF_MATCH", ""),
        dumps(request.data),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
