"""flagd's flag files, written so that flagd answers what we answer; the rest is left out."""

from flags.transfer.exporters.flagd.file import (
    FlagdFile,
    Written,
    metadata_of,
    write_file,
    write_flag,
)

__all__ = ["FlagdFile", "Written", "metadata_of", "write_file", "write_flag"]
