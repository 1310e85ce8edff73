"""What an import did."""

from dataclasses import asdict, dataclass, field

from flags.importers import Skipped


@dataclass(slots=True)
class ImportReport:
    """What an import did, or as a dry run would do; flags by their keys.

    ``changed`` had their definition or their configuration changed, ``disabled`` were turned off
    because the file does not have them, ``version`` is the environment's afterwards.
    """

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dry_run: bool = False
    version: int = 0

    @property
    def document(self) -> dict[str, object]:
        """The report as JSON has it."""
        return asdict(self)
