"""Documents of an environment as they were at an instant, each with the row that made it so."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.core.exceptions import ObjectDoesNotExist
from django.utils.translation import gettext as _

from flags.engine import Context, DocumentError
from flags.engine.parsing import DEFINITION_PART, parse_environment
from flags.explain import answers
from flags.explain.answers import ExplainedAnswer
from flags.explain.causes import Cause, approval_of
from flags.explain.history_reader import (
    ARCHIVED,
    ARCHIVINGS,
    DEFINITION,
    GROUP,
    SEGMENT,
    Aspect,
    Document,
    NotRecorded,
    PastDocument,
    Row,
    configuration_in,
    document_at,
)
from flags.models.segment import segment_document_of
from flags.references.state import Documents, load_state
from portal.access.models import Project
from portal.audit import selectors
from portal.audit.models import AuditEvent
from portal.audit.selectors import Mark

# The audit trail of a project, read as of an instant: one look at an index for each thing.

# An aspect reads few rows: those that tell nothing are rare, and of older versions.
_READ_AT_ONCE = 4


class Trail:
    def __init__(self, project: str, moment: datetime) -> None:
        self.project, self.moment = project, moment
        self._up_to = selectors.sequence_at(moment)
        self._purged_before = selectors.purged_before()
        self._marks: dict[str, list[Mark]] = {}

    def marks(self, *subjects: str) -> list[Mark]:
        for subject in subjects:
            if subject not in self._marks:
                self._marks[subject] = selectors.marks_of(self.project, subject)
        return sorted(mark for subject in subjects for mark in self._marks[subject])

    def document_at(self, aspect: Aspect, *subjects: str) -> PastDocument:
        """What a document was at the instant, from the rows about the things named.

        Raises NotRecorded where the history does not reach so far back, or does not say.
        """
        marks = [m for m in self.marks(*subjects) if aspect.tells(m.event, m.environment)]
        earlier = [mark.sequence for mark in reversed(marks) if mark.sequence <= self._up_to]
        later = [mark.sequence for mark in marks if mark.sequence > self._up_to]
        found = document_at(aspect, self._rows(earlier), [] if self._is_cut else self._rows(later))
        if found is not None:
            return found
        if self._purged_before:
            raise NotRecorded(self._why_purged(subjects[0]))
        if any(mark.event.startswith(f"{aspect.kind}.") for mark in self.marks(subjects[0])):
            text = _("The history of “{subject}” begins too late to say what it was then.")
            raise NotRecorded(text.format(subject=subjects[0]))
        return PastDocument(None, None)

    @property
    def _is_cut(self) -> bool:
        """Whether rows from after the instant are missing."""
        return self._purged_before is not None and self.moment < self._purged_before

    def _why_purged(self, subject: str) -> str:
        text = _("What the history said about “{subject}” was purged: it reaches back to {day}.")
        return text.format(subject=subject, day=f"{self._purged_before:%Y-%m-%d %H:%M} UTC")

    def _rows(self, sequences: list[int]) -> list[AuditEvent]:
        wanted = sequences[:_READ_AT_ONCE]
        found = selectors.rows_at(wanted)
        return [found[sequence] for sequence in wanted if sequence in found]


@dataclass
class PastEnvironment:
    """An environment at an instant. Raises NotRecorded wherever the history does not say.

    ``causes`` grows with what is asked for: each row once, by its sequence.
    """

    trail: Trail
    project: Project
    environment: str
    causes: dict[int, Cause] = field(default_factory=dict)

    def flag(self, key: str) -> Document | None:
        definition = self._document(DEFINITION, key)
        if definition is None:
            return None
        if self._is_archived(key):
            return None
        aspect = configuration_in(self.environment, key)
        configuration = self._document(aspect, key, self.environment)
        if configuration is None or not configuration.get("introduced", True):
            return None
        # Which version the environment had then is not in every row, and decides nothing.
        return (
            {name: definition[name] for name in DEFINITION_PART if name in definition}
            | configuration
            | {"version": 0}
        )

    def _segment(self, key: str) -> Document | None:
        found = self._document(SEGMENT, key)
        try:
            return found and segment_document_of(self.project, found)
        except ObjectDoesNotExist:
            text = _("The list of keys that the segment “{segment}” had is not kept any more.")
            raise NotRecorded(text.format(segment=key)) from None

    def flags(self, keys: Collection[str]) -> Documents:
        return _found(self.flag, keys)

    def segments(self, keys: Collection[str]) -> Documents:
        return _found(self._segment, keys)

    def groups(self, keys: Collection[str]) -> Documents:
        return _found(lambda key: self._document(GROUP, key), keys)

    def _is_archived(self, key: str) -> bool:
        found = self.trail.document_at(ARCHIVED, key)
        # That it was configured proves that it was in use, but did not make it so.
        if found.row is not None and found.row.event in ARCHIVINGS:
            self._note("flag", key, found.row)
        return bool(found.document is None or found.document["archived"])

    def _document(self, aspect: Aspect, *subjects: str) -> Document | None:
        found: PastDocument = self.trail.document_at(aspect, *subjects)
        if found.row is not None:
            self._note(aspect.kind, subjects[0], found.row)
        return found.document

    def _note(self, kind: str, key: str, row: Row) -> None:
        assert isinstance(row, AuditEvent)
        self.causes.setdefault(row.sequence, Cause(kind, key, row))


def _found(read: Callable[[str], Document | None], keys: Collection[str]) -> Documents:
    documents = ((key, read(key)) for key in sorted(keys))
    return {key: document for key, document in documents if document is not None}


# The question that auditors ask: what did this user get for that flag then, and who saw to it.


@dataclass(frozen=True, slots=True)
class Answer:
    """What an application got at ``moment``, why, and what made it so, the last change first.

    ``metadata.version`` is left out: not every row of the history says the environment's version.
    """

    moment: datetime
    environment: str
    explained: ExplainedAnswer
    causes: tuple[Cause, ...]


def answer_at(
    *, project: Project, environment: str, flag: str, context: Context, moment: datetime
) -> Answer:
    """What evaluators answered for a flag at an instant, from the history alone.

    They learn of a change within a moment: of what happened that very moment they may not have
    known yet. Raises NotRecorded where the history does not say what something was.
    """
    past = PastEnvironment(Trail(project.key, moment), project, environment)
    found = _explain(past, flag, context, moment)
    causes = (one for _sequence, one in sorted(past.causes.items(), reverse=True))
    agreed = tuple(replace(one, approval=approval_of(one.row)) for one in causes)
    return Answer(moment, environment, found, agreed)


def _explain(
    past: PastEnvironment, flag: str, context: Context, moment: datetime
) -> ExplainedAnswer:
    document = past.flag(flag)
    if document is None:
        return answers.not_found(flag)
    try:
        parsed = parse_environment(document)
    except DocumentError as error:
        return answers.not_usable(flag, str(error.problems[0]))
    state = load_state(past, moment, [parsed.configuration])
    return _without_version(answers.explained(parsed, context, state))


def _without_version(found: ExplainedAnswer) -> ExplainedAnswer:
    if "metadata" not in found.body:
        return found
    known = {name: one for name, one in found.body["metadata"].items() if name != "version"}
    return ExplainedAnswer(found.status, {**found.body, "metadata": known}, found.explanation)
