"""What others can know of flags, segments and exclusion groups: their subjects, one row each."""

from dataclasses import replace

from flags.core.subject import FLAG, UNKNOWN_FLAG
from flags.exclusion_groups.subject import EXCLUSION_GROUP
from flags.schedules import handlers as schedules
from flags.segments.subject import SEGMENT
from flags.transfer import handlers as transfer
from flags.transfer.importing.change_builder import IMPORT

_OF_FLAGS = {
    IMPORT: transfer.IMPORT,
    "flag.schedule": schedules.SCHEDULE,
    "flag.ramp": schedules.RAMP,
}
SUBJECTS = (
    replace(FLAG, changes={**FLAG.changes, **_OF_FLAGS}),
    UNKNOWN_FLAG,
    SEGMENT,
    EXCLUSION_GROUP,
)
