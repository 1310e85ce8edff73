"""Everything that changes flags. One transaction each: change, version, audit row, outbox row."""

from flags.services.bulk import change_flags
from flags.services.configurations import Switched, save_configuration, set_enabled
from flags.services.copying import clone_flag, copy_configuration
from flags.services.definitions import archive_flag, create_flag, edit_flag, restore_flag

__all__ = [
    "Switched",
    "archive_flag",
    "change_flags",
    "clone_flag",
    "copy_configuration",
    "create_flag",
    "edit_flag",
    "restore_flag",
    "save_configuration",
    "set_enabled",
]
