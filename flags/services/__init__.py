"""Everything that changes flags. One transaction each: change, version, audit row, outbox row."""

from flags.services.configurations import Switched, save_configuration, set_enabled
from flags.services.definitions import archive_flag, create_flag, edit_flag, restore_flag
from flags.services.unknown import ignore_unknown_flag

__all__ = [
    "Switched",
    "archive_flag",
    "create_flag",
    "edit_flag",
    "ignore_unknown_flag",
    "restore_flag",
    "save_configuration",
    "set_enabled",
]
