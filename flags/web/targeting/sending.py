"""What the pages of the editor are sent besides the form itself."""

import json

from django.http import HttpRequest

from portal.lib import strict_json

# A base travels with every click of the editor: larger ones stay behind, and with them merging.
_MOST_BASE_CHARS = 200_000


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
