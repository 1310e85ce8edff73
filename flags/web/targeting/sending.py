"""What the pages of the editor are sent besides the form itself."""

import json
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.lib import strict_json
from portal.lib.errors import Invalid

# A base travels with every click of the editor: larger ones stay behind, and with them merging.
_MOST_BASE_CHARS = 200_000


def seen_version(request: HttpRequest) -> int:
    """The version the form was filled from. A form without one is of no version and conflicts."""
    text = request.POST.get("version", "")
    return int(text[:18]) if text.isascii() and text.isdigit() else -1


def sent_document(request: HttpRequest) -> Any:
    """The document that was reviewed. Raises Invalid."""
    try:
        return strict_json.loads_text(request.POST.get("document", ""))
    except strict_json.NotStrict:
        raise Invalid(
            {"": _("This form is damaged. Reload the page; nothing was saved.")}
        ) from None


def write_base(document: object) -> str:
    """The document that a form was filled from, for its hidden field; empty where it is large."""
    text = json.dumps(document, ensure_ascii=False)
    return text if len(text) <= _MOST_BASE_CHARS else ""


def sent_base(request: HttpRequest) -> object:
    """The document that the form was filled from; None where none was sent."""
    try:
        return strict_json.loads_text(request.POST.get("base", ""))
    except strict_json.NotStrict:
        return None
