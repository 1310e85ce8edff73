"""Taking over flags from a file, all of them in one transaction and one version."""

from flags.services.importing.asking import split_off_changed
from flags.services.importing.place import CohortReport, ImportReport
from flags.services.importing.service import MODES, import_document, import_flags

__all__ = [
    "MODES",
    "CohortReport",
    "ImportReport",
    "import_document",
    "import_flags",
    "split_off_changed",
]
