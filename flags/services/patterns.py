"""Patterns that people write: RE2's, which take linear time whatever they say."""

from typing import Any

import re2
from django.utils.translation import gettext as _

from portal.lib.errors import Invalid

_MOST_TOLD = 200


def check_pattern(pattern: str, path: str) -> None:
    """Raise Invalid where RE2 does not know such a pattern."""
    try:
        compile_pattern(pattern)
    except re2.error as error:
        told = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        text = _("That is no pattern of RE2, the kind that always ends in time: {error}.")
        raise Invalid({path: text.format(error=told[:_MOST_TOLD])}) from None


def compile_pattern(pattern: str) -> Any:
    """A pattern that takes linear time over whatever it is held against."""
    options = re2.Options()
    options.max_mem, options.log_errors = 1 << 20, False
    return re2.compile(pattern, options)
