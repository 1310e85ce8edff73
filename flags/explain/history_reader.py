"""What the rows of a history say that a document was. Pure: rows in, documents out.

A row tells two things: what became of a document by it (``after``), and what it was until then
(``before``). So the state at an instant is what the last row up to then left behind; or, where the
history begins later, what the first row after it found.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from portal.lib.errors import AviaryError

Document: TypeAlias = dict[str, Any]


class Row(Protocol):
    @property
    def event(self) -> str: ...
    @property
    def before_document(self) -> dict[str, object] | None: ...
    @property
    def after_document(self) -> dict[str, object] | None: ...


class Unrecorded:
    """A row that could tell and does not, such as one from an older Aviary."""


UNRECORDED: Final = Unrecorded()
Statement: TypeAlias = Document | Unrecorded | None
"""The document; UNRECORDED; or None where there was none at that time."""


class NotRecorded(AviaryError):
    """The history does not say what something was, and nobody should guess."""

    status = 410


@dataclass(frozen=True, slots=True)
class Aspect:
    """One document that history tells about: which events do, and how to read their rows.

    ``kind`` is the subject's. ``after`` reads what a row left behind, ``before`` what it found.
    Rows of the events in ``placed`` tell only where they are of ``environment``.
    """

    kind: str
    after: Mapping[str, Callable[[Row], Statement]]
    before: Mapping[str, Callable[[Row], Statement]]
    environment: str = ""
    placed: frozenset[str] = frozenset()

    def tells(self, event: str, environment: str) -> bool:
        here = event not in self.placed or environment == self.environment
        return event in self.after and here


@dataclass(frozen=True, slots=True)
class PastDocument:
    """A document as it was (None: it was not there), and the row that made it so.

    Without a row it was so before the history begins.
    """

    document: Document | None
    row: Row | None


def document_at(
    aspect: Aspect, earlier: Sequence[Row], later: Sequence[Row]
) -> PastDocument | None:
    """What the rows tell of an instant: those up to then, the last first, and those after it.

    None where they do not say. ``later`` is empty where rows are missing in between.
    """
    for row in earlier:
        said = aspect.after[row.event](row)
        if not isinstance(said, Unrecorded):
            return PastDocument(said, row)
    for row in later:
        said = aspect.before[row.event](row)
        if not isinstance(said, Unrecorded):
            return PastDocument(said, None)
    return None


def _document_after(row: Row) -> Statement:
    return _bare(row.after_document)


def _document_before(row: Row) -> Statement:
    return _bare(row.before_document)


def _bare(document: dict[str, object] | None) -> Document | None:
    """Without what the history adds for its readers."""
    if document is None:
        return None
    return {name: value for name, value in document.items() if name not in _ADDED}


_ADDED = ("environments", "keys")


def _nothing(_row: Row) -> Statement:
    return None


def _within(row: Row, container: str, key: str) -> Statement:
    """A document that is one of many in its row; rows of older versions have none."""
    documents = (row.after_document or {}).get(container)
    if not isinstance(documents, Mapping) or key not in documents:
        return UNRECORDED
    return dict(documents[key])


# What a purge writes down anew: the state that purged rows told of, one document a row.
KEPT: Final = "audit.state_kept"


def _kept(kind: str) -> dict[str, Callable[[Row], Statement]]:
    """How such a row tells: the document was so before it, and went on to be."""

    def read(row: Row) -> Statement:
        after = row.after_document or {}
        document = after.get("document")
        if after.get("kind") != kind or not isinstance(document, Mapping):
            return UNRECORDED
        return dict(document)

    return {KEPT: read}


_IN_USE: Final = {"archived": False}


def _in_use(_row: Row) -> Statement:
    return dict(_IN_USE)


SWITCHES: Final = (
    "flag.enabled",
    "flag.disabled",
    "flag.targeting_changed",
    "flag.introduced",
    "flag.withdrawn",
)
ARCHIVINGS: Final = ("flag.archived", "flag.restored")

DEFINITION: Final = Aspect(
    "flag",
    after=dict.fromkeys(("flag.created", "flag.edited"), _document_after) | _kept("definition"),
    before={"flag.created": _nothing, "flag.edited": _document_before} | _kept("definition"),
    placed=frozenset({KEPT}),
)
# An archived flag is not configured, so a row that configures it found it in use.
ARCHIVED: Final = Aspect(
    "flag",
    after=dict.fromkeys((*SWITCHES, "flag.created"), _in_use)
    | dict.fromkeys(ARCHIVINGS, _document_after)
    | _kept("archiving"),
    before=dict.fromkeys(SWITCHES, _in_use)
    | dict.fromkeys(ARCHIVINGS, _document_before)
    | {"flag.created": _nothing}
    | _kept("archiving"),
    placed=frozenset({KEPT}),
)
SEGMENT: Final = Aspect(
    "segment",
    after=dict.fromkeys(
        ("segment.created", "segment.edited", "segment.keys_changed", "segment.deleted"),
        _document_after,
    )
    | _kept("segment"),
    before={"segment.created": _nothing}
    | _kept("segment")
    | dict.fromkeys(
        ("segment.edited", "segment.keys_changed", "segment.deleted"), _document_before
    ),
)
GROUP: Final = Aspect(
    "exclusion_group",
    after=dict.fromkeys(
        (
            "exclusion_group.created",
            "exclusion_group.edited",
            "exclusion_group.reshuffled",
            "exclusion_group.deleted",
        ),
        _document_after,
    )
    | _kept("exclusion group"),
    before={"exclusion_group.created": _nothing}
    | _kept("exclusion group")
    | dict.fromkeys(
        ("exclusion_group.edited", "exclusion_group.reshuffled", "exclusion_group.deleted"),
        _document_before,
    ),
)
STARTED: Final = "environment.flags_started"


def configuration_in(environment: str, flag: str) -> Aspect:
    """A flag's configuration in an environment; its first one is told by whatever made both."""
    first: dict[str, Callable[[Row], Statement]] = {
        "flag.created": lambda row: _within(row, "environments", environment),
        STARTED: lambda row: _within(row, "flags", flag),
    }
    return Aspect(
        "flag",
        after=dict.fromkeys(SWITCHES, _document_after) | first | _kept("configuration"),
        before=dict.fromkeys(SWITCHES, _document_before)
        | dict.fromkeys(first, _nothing)
        | _kept("configuration"),
        environment=environment,
        placed=frozenset((*SWITCHES, STARTED, KEPT)),
    )
