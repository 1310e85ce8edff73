"""What documents were parsed into lately: a page reads the same document again and again."""

import marshal
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Parsed = TypeVar("Parsed")

_LONGEST: Final = 32_768  # bytes of one document; longer ones are parsed each time
_MOST: Final = 2_097_152  # bytes of all of them together


class Remembered(Generic[Parsed]):
    """Results by the exact content of their documents, which tells 1 from 1.0 and True.

    A result is made from a copy of the document, so that nobody who changes theirs changes it.
    What cannot be parsed is not kept, nor what is not made of Python's own plain types.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[bytes, object], Parsed] = {}
        self._size = 0

    def get(self, document: object, part: object, parse: Callable[[object], Parsed]) -> Parsed:
        """What ``parse`` makes of the document; ``part`` is what else the result depends on."""
        try:
            content = marshal.dumps(document, 0)  # type: ignore[arg-type]
        except ValueError:
            return parse(document)
        if len(content) > _LONGEST:
            return parse(document)
        known = self._found.get((content, part))
        if known is None:
            known = parse(marshal.loads(content))  # noqa: S302 - dumped above
            self._keep((content, part), known, len(content))
        return known

    def _keep(self, key: tuple[bytes, object], result: Parsed, size: int) -> None:
        if self._size + size > _MOST:
            self._found, self._size = {}, 0
        self._found[key] = result
        self._size += size
