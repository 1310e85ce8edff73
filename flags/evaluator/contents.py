import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from flags.channel.documents import FLAG_PREFIX, GROUP_PREFIX, KEY_PREFIX, SEGMENT_PREFIX
from flags.engine import (
    CompiledFlag,
    CompiledGroup,
    CompiledSegment,
    DocumentError,
    attributes_of,
    compile_flag,
    compile_group,
    compile_segment,
)

logger = logging.getLogger("aviary.evaluator")

PROBLEM_CHARS: Final = 200
KEY_KINDS: Final = (b"server", b"client", b"admin")


class FlagItem:
    """A flag ready to be answered; ``compiled`` is None where its document cannot be evaluated."""

    __slots__ = ("_attributes", "client_visible", "compiled", "encoded", "key", "problem")

    def __init__(
        self, key: str, *, compiled: CompiledFlag | None, client_visible: bool, problem: str = ""
    ) -> None:
        self.key = key
        self.compiled = compiled
        self.client_visible = client_visible
        self.problem = problem
        # Answers already written as JSON, by the identity of the engine's shared result.
        self.encoded: dict[int, tuple[object, bytes]] = {}
        self._attributes: frozenset[str] | None = None

    @property
    def attributes(self) -> frozenset[str]:
        if self._attributes is None:
            configuration = self.compiled.source.configuration if self.compiled else None
            self._attributes = attributes_of(configuration) if configuration else frozenset()
        return self._attributes


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the portal publishes it; ``expires_at`` in Unix seconds, None for never.

    ``rate`` is in requests per second, None for as many as come; ``burst`` how many may come at
    once, None for one second's worth. ``decides`` says whether what is told with it may decide
    about releases: with a server key, and with a client key that has the right to.
    """

    selector: str
    kind: str
    verifier: bytes
    origins: tuple[str, ...]
    expires_at: float | None
    rate: int | None = None
    burst: int | None = None
    decides: bool = True

    @property
    def is_client(self) -> bool:
        return self.kind == "client"


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


def _reader(
    compile_document: Callable[[object], CompiledSegment | CompiledGroup], what: str
) -> Callable[[str, dict[str, object]], CompiledSegment | CompiledGroup]:
    def read(key: str, document: dict[str, object]) -> CompiledSegment | CompiledGroup:
        found = compile_document(document)
        if found.key != key:
            raise ValueError(f"its document is of another {what}")
        return found

    return read


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


def read_key(selector: str, document: Mapping[str, object]) -> ApiKey:
    """The key of a published document. Raises ValueError where the document is not one."""
    kind, verifier = document.get("kind"), document.get("verifier")
    origins, expires_at = document.get("origins", []), document.get("expires_at")
    if document.get("selector") != selector:
        raise ValueError("it names another selector")
    if not isinstance(kind, str) or kind.encode() not in KEY_KINDS:
        raise ValueError("its kind is unknown")
    if not isinstance(verifier, str) or len(verifier) != 2 * hashlib.sha256().digest_size:
        raise ValueError("its verifier is not a SHA-256 in hexadecimal")
    if not isinstance(origins, list):
        raise ValueError("its origins are not a list")
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float | None):
        raise ValueError("its expiry is not a number of seconds")
    return ApiKey(
        selector=selector,
        kind=kind,
        verifier=bytes.fromhex(verifier),
        origins=tuple(map(str, origins)),
        expires_at=expires_at,
        rate=_read_limit(document, "rate"),
        burst=_read_limit(document, "burst"),
        decides=kind == "server" or document.get("decides") is True,
    )


def _read_limit(document: Mapping[str, object], name: str) -> int | None:
    limit = document.get(name)
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ValueError(f"its {name} is not a whole number above 0")
    return limit


_READERS: Final[dict[str, Callable[[str, dict[str, object]], Content]]] = {
    FLAG_PREFIX: _read_flag,
    KEY_PREFIX: read_key,
    SEGMENT_PREFIX: _reader(compile_segment, "segment"),
    GROUP_PREFIX: _reader(compile_group, "group"),
}


def _describe(error: Exception) -> str:
    if isinstance(error, DocumentError):
        return str(error.problems[0])[:PROBLEM_CHARS]
    return str(error)[:PROBLEM_CHARS] if type(error) is ValueError else "its document is not valid"
