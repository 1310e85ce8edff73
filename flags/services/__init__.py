"""Everything that changes flags. One transaction each: change, version, audit row, outbox row."""

from flags.services.configurations import Switched, save_configuration, set_enabled
from flags.services.definitions import archive_flag, create_flag, edit_flag, restore_flag
from flags.services.groups import create_group, delete_group, edit_group
from flags.services.segments import change_keys, create_segment, delete_segment, edit_segment

__all__ = [
    "Switched",
    "archive_flag",
    "change_keys",
    "create_flag",
    "create_group",
    "create_segment",
    "delete_group",
    "delete_segment",
    "edit_flag",
    "edit_group",
    "edit_segment",
    "restore_flag",
    "save_configuration",
    "set_enabled",
]
