"""Documents of an environment as they were at an instant, each with the row that made it so."""

from dataclasses import dataclass, field

from django.core.exceptions import ObjectDoesNotExist
from django.utils.translation import gettext as _

from flags import cohorts
from flags.engine.parsing import DEFINITION_PART
from flags.past.telling import (
    ARCHIVED,
    ARCHIVINGS,
    DEFINITION,
    GROUP,
    SEGMENT,
    Aspect,
    Document,
    NotTold,
    Row,
    Told,
    configuration_in,
)
from flags.past.trail import Trail
from portal.access.models import Project
from portal.audit.models import AuditEvent


@dataclass(frozen=True, slots=True)
class Source:
    """What made a part of the scene what it was: a flag's, a segment's or a group's last row."""

    kind: str
    key: str
    row: AuditEvent


@dataclass
class Past:
    """An environment at an instant. Raises NotTold wherever the history does not say.

    ``sources`` grows with what is asked for.
    """

    trail: Trail
    project: Project
    environment: str
    sources: list[Source] = field(default_factory=list)

    def flag(self, key: str) -> Document | None:
        """A flag's environment document; None where evaluators did not have it."""
        definition = self._told(DEFINITION, key)
        if definition is None:
            return None
        if self._is_archived(key):
            return None
        aspect = configuration_in(self.environment, key)
        configuration = self._told(aspect, key, self.environment)
        if configuration is None or not configuration.get("introduced", True):
            return None
        # Which version the environment had then is not in every row, and decides nothing.
        return _served(definition) | configuration | {"version": 0}

    def segment(self, key: str) -> Document | None:
        """A segment with its lists in full."""
        found = self._told(SEGMENT, key)
        try:
            return found and cohorts.segment_document_of(self.project, found)
        except ObjectDoesNotExist:
            text = _("The list of keys that the segment “{segment}” had is not kept any more.")
            raise NotTold(text.format(segment=key)) from None

    def group(self, key: str) -> Document | None:
        """An exclusion group."""
        return self._told(GROUP, key)

    def _is_archived(self, key: str) -> bool:
        found = self.trail.told(ARCHIVED, key)
        # That it was configured proves that it was in use, but did not make it so.
        if found.row is not None and found.row.event in ARCHIVINGS:
            self._note("flag", key, found.row)
        return bool(found.document is None or found.document["archived"])

    def _told(self, aspect: Aspect, *subjects: str) -> Document | None:
        found: Told = self.trail.told(aspect, *subjects)
        if found.row is not None:
            self._note(aspect.kind, subjects[0], found.row)
        return found.document

    def _note(self, kind: str, key: str, row: Row) -> None:
        assert isinstance(row, AuditEvent)
        self.sources.append(Source(kind, key, row))


def _served(definition: Document) -> Document:
    """What of a definition evaluators load."""
    return {name: definition[name] for name in DEFINITION_PART if name in definition}
