"""The audit trail of a project, read as of an instant: one look at an index for each thing."""

from datetime import datetime

from django.utils.translation import gettext as _

from flags.past.telling import Aspect, NotTold, Told, told
from portal.audit import moments
from portal.audit.models import AuditEvent
from portal.audit.moments import Mark

# An aspect reads few rows: those that tell nothing are rare, and of older versions.
_READ_AT_ONCE = 4


class Trail:
    """The rows about each thing of a project, and what they tell of an instant."""

    def __init__(self, project: str, moment: datetime) -> None:
        self.project, self.moment = project, moment
        self._up_to = moments.sequence_at(moment)
        self._purged_before = moments.purged_before()
        self._marks: dict[str, list[Mark]] = {}

    def marks(self, *subjects: str) -> list[Mark]:
        """The rows about things, by their names, in their order."""
        for subject in subjects:
            if subject not in self._marks:
                self._marks[subject] = moments.marks_of(self.project, subject)
        return sorted(mark for subject in subjects for mark in self._marks[subject])

    def told(self, aspect: Aspect, *subjects: str) -> Told:
        """What a document was at the instant, from the rows about the things named.

        Raises NotTold where the history does not reach so far back, or does not say.
        """
        marks = [m for m in self.marks(*subjects) if aspect.tells(m.event, m.environment)]
        earlier = [mark.sequence for mark in reversed(marks) if mark.sequence <= self._up_to]
        later = [mark.sequence for mark in marks if mark.sequence > self._up_to]
        found = told(aspect, self._rows(earlier), [] if self._is_cut else self._rows(later))
        if found is not None:
            return found
        if self._purged_before:
            raise NotTold(self._why_purged(subjects[0]))
        if any(mark.event.startswith(f"{aspect.kind}.") for mark in self.marks(subjects[0])):
            text = _("The history of “{subject}” begins too late to say what it was then.")
            raise NotTold(text.format(subject=subjects[0]))
        return Told(None, None)

    @property
    def _is_cut(self) -> bool:
        """Whether rows from after the instant are missing."""
        return self._purged_before is not None and self.moment < self._purged_before

    def _why_purged(self, subject: str) -> str:
        text = _("What the history said about “{subject}” was purged: it reaches back to {day}.")
        day = f"{self._purged_before:%Y-%m-%d %H:%M} UTC"
        return text.format(subject=subject, day=day)

    def _rows(self, sequences: list[int]) -> list[AuditEvent]:
        """The rows nearest to the instant, in this order."""
        wanted = sequences[:_READ_AT_ONCE]
        found = moments.rows_at(wanted)
        return [found[sequence] for sequence in wanted if sequence in found]
