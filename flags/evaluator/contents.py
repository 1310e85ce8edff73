import logging
from collections.abc import Callable
from typing import Final, TypeAlias

from flags.channel.documents import FLAG_PREFIX, GROUP_PREFIX, KEY_PREFIX, SEGMENT_PREFIX
from flags.engine import (
    CompiledGroup,
    CompiledSegment,
    DocumentError,
    compile_flag,
    compile_group,
    compile_segment,
)
from flags.evaluator.keys import ApiKey, read_key
from flags.evaluator.memory import FlagItem

logger = logging.getLogger("aviary.evaluator")

PROBLEM_CHARS: Final = 200
Content: TypeAlias = FlagItem | CompiledSegment | CompiledGroup | ApiKey


def read_content(field: str, document: dict[str, object]) -> Content | None:
    """What a document says; fields of a later Aviary, and unusable documents, are of no use here.

    Flags that refer to a segment or a group without use are errors; the others go on.
    """
    kind, _slash, key = field.partition("/")
    reader = _READERS.get(kind + "/")
    if reader is None:
        return None
    try:
        return reader(key, document)
    except ValueError as error:
        logger.error("the document %s cannot be used: %s", field, _describe(error))
        return None


def _read_segment(key: str, document: dict[str, object]) -> CompiledSegment:
    segment = compile_segment(document)
    if segment.key != key:
        raise ValueError("its document is of another segment")
    return segment


def _read_group(key: str, document: dict[str, object]) -> CompiledGroup:
    group = compile_group(document)
    if group.key != key:
        raise ValueError("its document is of another group")
    return group


def _read_flag(key: str, document: dict[str, object]) -> FlagItem:
    try:
        compiled = compile_flag(document)
        if compiled.key != key:
            raise ValueError("its document is of another flag")
    except Exception as error:  # whatever is wrong with one flag must not take the others along
        problem = _describe(error)
        logger.error("flag %r cannot be evaluated: %s", key, problem)
        visible = document.get("client_visible") is True
        return FlagItem(key, compiled=None, client_visible=visible, problem=problem)
    return FlagItem(key, compiled=compiled, client_visible=compiled.client_visible)


_READERS: Final[dict[str, Callable[[str, dict[str, object]], Content]]] = {
    FLAG_PREFIX: _read_flag,
    KEY_PREFIX: read_key,
    SEGMENT_PREFIX: _read_segment,
    GROUP_PREFIX: _read_group,
}


def _describe(error: Exception) -> str:
    if isinstance(error, DocumentError):
        return str(error.problems[0])[:PROBLEM_CHARS]
    return str(error)[:PROBLEM_CHARS] if type(error) is ValueError else "its document is not valid"
