import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal.audit import exporting, history, sealing
from portal.audit.exporting import Manifest
from portal.audit.filters import Filters
from portal.lib import journal
from portal.lib.errors import Invalid
from portal.lib.journal import Actor, Entry, Intent

_Writer = Callable[[Iterator[tuple[object, ...]], Manifest], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Format:
    suffix: str
    media_type: str
    write: _Writer


FORMATS: Final = {
    "csv": Format("csv", "text/csv; charset=utf-8", exporting.csv_lines),
    "jsonl": Format("jsonl", "application/x-ndjson", exporting.json_lines),
}
# Few large pieces: each one is handed through the whole server.
_PIECE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Export:
    name: str
    media_type: str
    pieces: Iterator[bytes]


@transaction.atomic
def start_export(
    *, filters: Filters, format_name: str, intent: Intent, alone: bool = False
) -> Export:
    """Record that the rows are exported, and return the file as it will be made.

    It comes in a zip together with the script that verifies it, unless it is wanted ``alone``.

    Its rows are those up to the last one at this moment, oldest first; the record of the export
    comes after them. The caller has made sure that the actor may. Raises Invalid for an unknown
    format.
    """
    if format_name not in FORMATS:
        raise Invalid({"format": _("Choose one of: {names}.").format(names=", ".join(FORMATS))})
    kind, up_to = FORMATS[format_name], history.newest_sequence()
    _record_export(filters, format_name, up_to, intent.actor)
    manifest = Manifest(
        key=settings.AUDIT_KEY,
        filters={name: str(value) for name, value in filters.document.items()},
        exported_at=intent.at,
    )
    lines = kind.write(history.iterate(filters, up_to=up_to), manifest)
    name = f"history-{filters.project or 'all'}-{intent.at:%Y%m%dT%H%M%SZ}.{kind.suffix}"
    if alone:
        return Export(name, kind.media_type, _pieces(lines))
    key = sealing.public_key(settings.AUDIT_KEY)
    zipped = packed(name, _pieces(lines), public_key=key)
    return Export(f"{name}.zip", "application/zip", zipped)


def _record_export(filters: Filters, format_name: str, up_to: int, actor: Actor) -> None:
    after = {
        "filters": filters.document,
        "format": format_name,
        "rows": history.matching_up_to(filters, up_to).count(),
        "up_to": up_to,
    }
    journal.write(
        Entry(
            event="audit.exported",
            actor=actor,
            subject_kind="audit",
            subject=FORMATS[format_name].suffix,
            project=filters.project or "",
            environment=filters.environment,
            after=after,
        )
    )


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


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
