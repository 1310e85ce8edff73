"""Problem documents (RFC 9457): what the management API says where something went wrong."""

from http import HTTPStatus
from typing import Final

PROBLEM: Final = "application/problem+json"


def problem(status: int, detail: str, **extras: object) -> dict[str, object]:
    """A problem document; ``type`` names the kind for programs, ``detail`` is for people."""
    title = HTTPStatus(status).phrase
    kind = title.lower().replace(" ", "-")
    return {
        "type": f"urn:aviary:problem:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        **extras,
    }
