"""Overrides of a split in words: the form carries them as JSON and has no controls for them."""

from django.utils.translation import gettext as _

from flags.engine import DocumentError
from flags.engine.condition_parsing import read_condition
from flags.web.targeting.form import Problems, read_json
from flags.wording import condition, quoted


def override_words(text: str) -> list[str]:
    """One sentence for each override; none where they cannot be read."""
    found = read_json(text, "", Problems()) if text.strip() else []
    if not isinstance(found, list):
        return []
    return [_sentence(one) for one in found if isinstance(one, dict)]


def _sentence(one: dict[str, object]) -> str:
    try:
        where = condition(read_condition(one.get("when")))
    except DocumentError as error:
        return str(error)
    return _("{variant} where {where}").format(variant=quoted(str(one.get("variant"))), where=where)
