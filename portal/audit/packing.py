"""An export as a zip: the file, the script that verifies it, and how. Made while it is sent."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import Final

SCRIPT: Final = "verify.py"
_GUIDE: Final = """\
This folder holds an export of an audit trail, and a script that verifies it.
The script needs Python 3.9 or newer and nothing else:

    python3 verify.py {name}

That proves that the file is whole and in order, and signed. To know that it was signed by this
installation, get its public key from the operator (manage.py auditpublickey) and add:

    --public-key {key}

With the audit key (AUDIT_KEY in the environment, or --key-file) the script also proves every row
and every link of the chain. With a file of anchors (--anchors FILE) it proves that the chain is
the one that was anchored outside the database at the time.
"""


class _Pipe(io.RawIOBase):
    """What a zip is written into; it is read from as it grows."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        self._written += piece
        return len(piece)

    def take(self) -> bytes:
        """Whatever was written since it was last asked."""
        taken = bytes(self._written)
        self._written.clear()
        return taken


def packed(name: str, pieces: Iterable[bytes], *, public_key: str) -> Iterator[bytes]:
    """A zip of one large file called ``name``, in constant memory, and of what verifies it."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        script = resources.files("portal.audit.offline").joinpath(SCRIPT)
        archive.writestr(SCRIPT, script.read_bytes())
        archive.writestr("READ-ME.txt", _GUIDE.format(name=name, key=public_key))
        with archive.open(name, "w", force_zip64=True) as file:
            for piece in pieces:
                file.write(piece)
                yield pipe.take()
    yield pipe.take()
