"""Names that people take for one another: by case, by width, by letters that look the same.

Unicode's UTS 39 says which letters do. The table is that of confusable_homoglyphs, read when it is
first needed. What is kept of a name hangs on it: a newer table takes a migration of those keys.
"""

import unicodedata
from collections import defaultdict
from functools import cache

_SHARED = {"COMMON", "INHERITED"}
# What UTS 39 calls highly restrictive: one script, or Latin with those of one East Asian language.
_TOGETHER = (
    {"LATIN", "HAN", "HIRAGANA", "KATAKANA"},
    {"LATIN", "HAN", "BOPOMOFO"},
    {"LATIN", "HAN", "HANGUL"},
)
_MARKS = {0x200E: None, 0x200F: None}  # the table writes some characters between marks of direction


def folded(text: str) -> str:
    """A text without the differences of case, width and composition."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def look_of(text: str) -> str:
    """A text by its looks, after UTS 39: equal for two that can be taken for each other."""
    table = _prototypes()
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text))
    return folded("".join(table.get(letter, letter) for letter in plain))


def keys_of(name: str) -> tuple[str, str]:
    """What a name must share with no other: its looks in lower case, and as it is written.

    Both, because capital letters resemble others than their small ones: I an l, and i none.
    """
    return look_of(folded(name)), look_of(name)


def is_of_one_script(text: str) -> bool:
    """Whether a text mixes no scripts but those that one language writes together."""
    from confusable_homoglyphs import categories

    scripts = {categories.alias(letter) for letter in text} - _SHARED
    return len(scripts) < 2 or any(scripts <= together for together in _TOGETHER)


@cache
def _prototypes() -> dict[str, str]:
    """What stands for each letter that looks like others.

    The table names pairs in both directions; where several letters look the same, one is paired
    with all of them, and where it is one pair alone either may stand for both.
    """
    from confusable_homoglyphs.confusables import confusables_data

    alike: dict[str, set[str]] = defaultdict(set)
    for letter, others in confusables_data.items():
        for other in others:
            pair = letter.translate(_MARKS), other["c"].translate(_MARKS)
            alike[pair[0]].add(pair[1])
            alike[pair[1]].add(pair[0])
    found = {}
    for letter, others in alike.items():
        (other,) = others if len(others) == 1 else ("",)
        if len(letter) == 1 and other and (_leads(other, alike) or letter > other):
            found[letter] = other
    return found


def _leads(letter: str, alike: dict[str, set[str]]) -> bool:
    return len(letter) > 1 or len(alike[letter]) > 1
