"""What the pages of access have in common: an answer that replaces a part of the page."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def replace_part(
    request: HttpRequest, part: str, template: str, context: Mapping[str, object]
) -> HttpResponse:
    """The part of the page with the id ``part`` anew, wherever the click meant to go.

    The dialog closes, and ``notice`` of the context is shown.
    """
    response = render(request, "access/_part_changed.html", {"part": template, **context})
    response["HX-Retarget"] = f"#{part}"
    response["HX-Reswap"] = "outerHTML"
    return response
