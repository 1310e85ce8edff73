"""What an import did."""

from dataclasses import asdict, dataclass, field

from flags.importers import Skipped, SkippedCohort
from portal.lib.errors import Invalid

_REASONS = 3


@dataclass(slots=True)
class CohortReport:
    """What became of the file's segments, or of its exclusion groups, by their keys."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    skipped: list[SkippedCohort] = field(default_factory=list)


@dataclass(slots=True)
class ImportReport:
    """What an import did, or as a dry run would do; flags by their keys.

    ``changed`` had their definition or their configuration changed, ``introduced`` were there and
    came to this environment, ``disabled`` were turned off because the file does not have them,
    ``version`` is the environment's afterwards.
    """

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    introduced: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    segments: CohortReport = field(default_factory=CohortReport)
    groups: CohortReport = field(default_factory=CohortReport)
    notes: list[str] = field(default_factory=list)
    dry_run: bool = False
    version: int = 0

    @property
    def document(self) -> dict[str, object]:
        """The report as JSON has it; ``introduced`` only where flags are."""
        found = asdict(self)
        return {name: one for name, one in found.items() if one or name != "introduced"}

    @property
    def changes(self) -> int:
        """How many documents evaluators hear of."""
        cohorts = len(self.segments.created) + len(self.segments.changed)
        cohorts += len(self.groups.created) + len(self.groups.changed)
        flags = self.created, self.changed, self.introduced, self.disabled
        return cohorts + sum(map(len, flags))


def reason_of(error: Invalid) -> str:
    """Why something of the file is left alone: the first few problems with it."""
    problems = [f"{path}: {text}" if path else text for path, text in error.problems.items()]
    more = f" And {len(problems) - _REASONS} more." if len(problems) > _REASONS else ""
    return " ".join(problems[:_REASONS]) + more
