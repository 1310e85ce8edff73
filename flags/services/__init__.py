"""Everything that changes flags. One transaction each: change, version, audit row, outbox row."""

from flags.services.arranging import ignore_unknown_flag
from flags.services.bulk import change_flags
from flags.services.configurations import Switched, save_configuration, set_enabled
from flags.services.copying import clone_flag, copy_configuration
from flags.services.definitions import archive_flag, create_flag, edit_flag, restore_flag
from flags.services.groups import create_group, delete_group, edit_group
from flags.services.plans import (
    cancel_plan,
    create_ramp,
    create_schedule,
    pause_plan,
    resume_plan,
)
from flags.services.segments import change_keys, create_segment, delete_segment, edit_segment

__all__ = [
    "Switched",
    "archive_flag",
    "cancel_plan",
    "change_flags",
    "change_keys",
    "clone_flag",
    "copy_configuration",
    "create_flag",
    "create_group",
    "create_ramp",
    "create_schedule",
    "create_segment",
    "delete_group",
    "delete_segment",
    "edit_flag",
    "edit_group",
    "edit_segment",
    "ignore_unknown_flag",
    "pause_plan",
    "restore_flag",
    "resume_plan",
    "save_configuration",
    "set_enabled",
]
