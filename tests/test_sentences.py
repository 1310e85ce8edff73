"""What people read is in the field's words."""

import re

from tests import sentences

# Words that readers had to look up; what is said instead stands behind them.
_PRIVATE = {
    r"\bwhoever\b": "who, everyone who",
    r"\bticked\b": "selected",
    r"\bsingled out\b": "individual users",
    r"\bdealt out\b": "reshuffled, bucketed by",
    r"\bmay everything\b": "can do everything",
    r"\bfree room\b": "unallocated traffic",
    r"\bof the line\b": "of the traffic",
    r"\bround in a circle\b": "a cycle",
    r"\b(it )?is so already\b": "already up to date",
    r"\bno CSV\b": "not valid CSV",
    r"\bbetween them\b": "together",
    r"^Letters$": "Notifications",
}


def test_no_sentence_has_a_private_word() -> None:
    found = list(sentences.collect())
    # Of code and of a template: both are read.
    assert {"Schedule created.", "Users keep their bucket."} <= {text for _path, text in found}
    wrong = [
        f"{path}: {text!r}: say {instead}"
        for path, text in found
        for word, instead in _PRIVATE.items()
        if re.search(word, text, re.IGNORECASE)
    ]
    assert not wrong, "\n".join(wrong)
