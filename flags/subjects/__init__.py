"""What others can know of flags, segments and exclusion groups: their subjects, one row each."""

from flags.subjects.flag import FLAG, UNKNOWN_FLAG
from flags.subjects.segments import EXCLUSION_GROUP, SEGMENT

SUBJECTS = (FLAG, UNKNOWN_FLAG, SEGMENT, EXCLUSION_GROUP)
