"""How rows of the audit trail are exported, so that the file can be verified without us.

Both formats carry the same rows, oldest first, and end with the same manifest; see
``offline/verify.py``, which ships with each export, and ADR 6.

**JSON Lines** (UTF-8, LF): one object per row. Its keys are :data:`COLUMNS`, in this order.
``sequence`` is a number, ``version`` and ``change_request`` a number or null, everything else the
text that was hashed
(``at`` as ``2026-03-01T12:00:00.000000+00:00``; ``before`` and ``after`` are JSON *texts*, so that
not a byte of them changes). The last line is ``{"manifest": {…}}``.

**CSV** (RFC 4180, UTF-8, CRLF, every cell quoted): a row with the names of :data:`COLUMNS`, then
one per row of the trail; no version is an empty cell. A cell that a spreadsheet could take for a
formula gets an apostrophe in front, and so does one that starts with an apostrophe: a reader of
the file takes exactly one leading apostrophe away. The last row has two cells, ``#manifest`` and
the manifest as JSON.

**Manifest**::

    format               "aviary-audit-export/2"
    rows                 how many
    first_sequence       of the first row; or null
    last_sequence        of the last row; or null
    first_previous_hash  the first row's; or null
    last_hash            the last row's; or null
    filter               {name: text} that chose the rows; {} is everything
    exported_at          ISO 8601 UTC
    rows_sha256          over each row's texts (a compact JSON array, as for its hash, of all
                         COLUMNS) and a line feed: the same in both formats
    public_key           Ed25519, hex
    mac                  HMAC-SHA256 with the audit key       } over "aviary-audit-export/2", LF and
    signature            Ed25519 by the audit trail's own key } the compact, sorted rest as JSON

Usage: ``json_lines(rows, manifest)`` or ``csv_lines(rows, manifest)`` yield the whole file, a line
of bytes at a time, in constant memory; ``rows`` are tuples in the order of COLUMNS, such as
``values_list(*COLUMNS)`` gives, in ascending order of sequence.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from portal.audit import chain, sealing
from portal.lib.web.spreadsheets import guard

FORMAT = "aviary-audit-export/2"
COLUMNS = chain.COLUMNS
CSV_MANIFEST = "#manifest"
_NUMBERS = [(name, COLUMNS.index(name)) for name in ("sequence", "version", "change_request")]


class Manifest:
    """The last line of an export, computed while the rows pass by."""

    def __init__(self, *, key: bytes, filters: Mapping[str, str], exported_at: datetime) -> None:
        """``key`` is settings.AUDIT_KEY; ``filters`` is empty for an export of everything."""
        self._key = key
        self._filters = dict(filters)
        self._exported_at = exported_at.astimezone(UTC).isoformat(timespec="microseconds")
        self._digest = hashlib.sha256()
        self._rows = 0
        self._first: Sequence[str] | None = None
        self._last: Sequence[str] | None = None

    def add(self, row: Sequence[object]) -> list[str]:
        """Take note of a row (in the order of COLUMNS); returns its texts.

        Raises ValueError for a row that does not come after the one before it.
        """
        texts = chain.texts(row)
        if self._last and int(texts[0]) <= int(self._last[0]):
            raise ValueError(f"row {texts[0]} cannot be exported after row {self._last[0]}")
        self._digest.update(chain.encode(texts) + b"\n")
        self._rows += 1
        self._first = self._first or texts
        self._last = texts
        return texts

    def close(self) -> dict[str, object]:
        first, last = self._first, self._last
        document: dict[str, object] = {
            "format": FORMAT,
            "rows": self._rows,
            "first_sequence": int(first[0]) if first else None,
            "last_sequence": int(last[0]) if last else None,
            "first_previous_hash": first[-2] if first else None,
            "last_hash": last[-1] if last else None,
            "filter": self._filters,
            "exported_at": self._exported_at,
            "rows_sha256": self._digest.hexdigest(),
            "public_key": sealing.public_key(self._key),
        }
        content = sealing.canonical(document)
        document["mac"] = sealing.mac(self._key, FORMAT, content)
        document["signature"] = sealing.signature(self._key, FORMAT, content)
        return document


def json_lines(rows: Iterable[Sequence[object]], manifest: Manifest) -> Iterator[bytes]:
    for row in rows:
        texts = manifest.add(row)
        document: dict[str, object] = dict(zip(COLUMNS, texts, strict=True))
        document |= {name: int(texts[at]) if texts[at] else None for name, at in _NUMBERS}
        yield _json(document) + b"\n"
    yield _json({"manifest": manifest.close()}) + b"\n"


def csv_lines(rows: Iterable[Sequence[object]], manifest: Manifest) -> Iterator[bytes]:
    """The whole file, line by line (a row with a line break in a cell is one line here)."""
    yield _csv(COLUMNS)
    for row in rows:
        yield _csv(map(guard, manifest.add(row)))
    yield _csv([CSV_MANIFEST, _json(manifest.close()).decode()])


def _csv(cells: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(cells)
    return line.getvalue().encode()


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
