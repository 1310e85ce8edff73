"""flagd's flag files (flagd.dev/schema/v0/flags.json), translated without changing any answer."""

from flags.transfer.importers.flagd.file import read

__all__ = ["read"]
