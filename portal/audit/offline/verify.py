"""Verify an exported audit trail (JSON Lines or CSV). Needs Python 3.9 or newer, nothing else.

    python3 verify.py EXPORT [--public-key HEX] [--key-file FILE] [--anchors FILE]

Exit status: 0 it holds, 1 it does not (the first bad row is named), 2 it cannot be read. Without
a key it proves that the file is the one that was exported: whole, in order, signed. The audit key
(from a file, or AUDIT_KEY in the environment) proves each row and link; who has it can forge.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import hmac
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

NAMES = (
    "sequence at event actor_kind actor_id actor project environment subject_kind subject version "
    "before after reason request_id ip user_agent"
)
LATER = "requested_by approved_by change_request part_of_kind part_of"
LINKS = ["previous_hash", "hash"]
FIRST = len(NAMES.split(" "))
# By the format in which they are exported; where all of LATER is empty a row is hashed without it.
FORMATS = {
    "aviary-audit-export/1": [*NAMES.split(" "), *LINKS],
    "aviary-audit-export/2": [*NAMES.split(" "), *LATER.split(" "), *LINKS],
}
NUMBERS = {"version": (int, type(None)), "change_request": (int, type(None))}
KINDS: dict[str, tuple[type, ...]] = {"sequence": (int,), **NUMBERS}
Point = tuple[int, int, int, int]
MANIFEST = "#manifest"
P = 2**255 - 19  # Ed25519 (RFC 8032): points are (x, y, z, t) with x = X/Z, y = Y/Z, xy = T/Z
D = -121665 * pow(121666, P - 2, P) % P


def add(a: Point, b: Point) -> Point:
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, point: Point) -> Point:
    result = (0, 1, 1, 0)
    while number:
        result = add(result, point) if number & 1 else result
        point, number = add(point, point), number >> 1
    return result


def point_of(data: bytes) -> Point:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    if len(data) != 32 or y >= P or x * x % P != square or (x == 0 and sign):
        raise ValueError("no point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= 2**252 + 27742317777372353535851937790883648493:
        return False
    digest = hashlib.sha512(r + public_key + message).digest()
    base = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    a = times(s, base)
    b = add(point_of(r), times(int.from_bytes(digest, "little"), point_of(public_key)))
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 == (a[1] * b[2] - b[1] * a[2]) % P


def compact(value: object, sort_keys: bool = False) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys)
    return text.encode()


def sealed(key: bytes, content: bytes) -> str:
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name stands there twice")
    return dict(pairs)


def is_row(row: dict[str, Any]) -> bool:
    kinds_fit = all(type(value) in KINDS.get(name, (str,)) for name, value in row.items())
    return kinds_fit and list(row) in FORMATS.values()


def entries(file: TextIO) -> Iterator[Any]:
    """Each row as a list of texts, then the manifest as a dict."""
    is_json = file.read(1) == "{"
    file.seek(0)
    for line in file if is_json else ():
        row = json.loads(line, object_pairs_hook=once_each)
        if list(row) == ["manifest"]:
            yield row["manifest"]
        elif is_row(row):
            yield ["" if value is None else str(value) for value in row.values()]
        else:
            raise ValueError("this is not a row of an export")
    csv.field_size_limit(2**31 - 1)
    table = csv.reader(() if is_json else file, strict=True)
    fields = [] if is_json else next(table, [])
    if not is_json and fields not in FORMATS.values():
        raise ValueError("this is not an export of an audit trail")
    for cells in table:
        if len(cells) == 2 and cells[0] == MANIFEST:
            yield json.loads(cells[1], object_pairs_hook=once_each)
        elif len(cells) == len(fields) and cells[0] == str(int(cells[0])):
            yield [cell[1:] if cell.startswith("'") else cell for cell in cells]
        else:
            raise ValueError("this is not a row of an export")


class ExportedFile:
    def __init__(self, key: bytes, anchors: dict[int, str]) -> None:
        self.key, self.anchors, self.digest = key, anchors, hashlib.sha256()
        self.rows = self.gaps = self.anchored = self.first = self.last = 0
        self.row: list[str] = []
        self.manifest: dict[str, Any] = {}
        self.gap = self.fault = (sys.maxsize, "")

    def blame(self, sequence: int, problem: str) -> None:
        self.fault = min(self.fault, (sequence, problem))

    def add(self, row: list[str]) -> None:
        sequence = int(row[0])
        self.compare_with_neighbour(sequence, row)
        hashed = row[:-2] if any(row[FIRST:-2]) else row[:FIRST]
        content = row[-2].encode() + b"\n" + compact(hashed)
        if self.key and sealed(self.key, content) != row[-1]:
            self.blame(sequence, "its content does not match its hash")
        if self.anchors.get(sequence, row[-1]) != row[-1]:
            self.blame(sequence, "another row stood here when the chain was anchored")
        self.anchored += sequence in self.anchors
        self.digest.update(compact(row) + b"\n")
        self.rows, self.first, self.last = self.rows + 1, self.first or sequence, sequence
        self.row = row

    def compare_with_neighbour(self, sequence: int, row: list[str]) -> None:
        if self.manifest or sequence <= self.last:
            self.blame(sequence, "stands behind the end or behind a later row")
        elif self.rows and sequence != self.last + 1:
            self.gaps += 1
            problem = f"missing: row {sequence} follows row {self.last}"
            self.gap = min(self.gap, (self.last + 1, problem))
        elif self.rows and row[-2] != self.row[-1]:
            self.blame(sequence, "does not continue the row before it")

    def close(self, public_key: str) -> str:
        said = self.manifest
        if said.get("filter") == {}:
            self.fault = min(self.fault, self.gap)
        if said and self.rows and self.first > said["first_sequence"]:
            self.blame(said["first_sequence"], f"missing: the file starts with row {self.first}")
        if not said or self.last < (said["last_sequence"] or 0):
            self.blame(self.last + 1, "missing: the file ends before its last row or manifest")
        if self.fault[1]:
            return "row {}: {}".format(*self.fault)
        if [said["rows"], said["rows_sha256"]] != [self.rows, self.digest.hexdigest()]:
            return "some row is not as it was exported (the audit key shows which)"
        if not self.is_sealed():
            return "the manifest was changed, or sealed with another key"
        if public_key not in ("", said["public_key"]):
            return f"the manifest is signed by somebody else: {said['public_key']}"
        return ""

    def is_sealed(self) -> bool:
        said = {k: v for k, v in self.manifest.items() if k not in ("mac", "signature")}
        content = said["format"].encode() + b"\n" + compact(said, sort_keys=True)
        of_its_format = not self.row or len(self.row) == len(FORMATS.get(said["format"], ()))
        if not of_its_format or said["format"] not in FORMATS:
            return False
        if self.key and sealed(self.key, content) != self.manifest["mac"]:
            return False
        signature = bytes.fromhex(self.manifest["signature"])
        return is_signed(bytes.fromhex(said["public_key"]), content, signature)


def report(export: ExportedFile, public_key: str) -> Iterator[str]:
    said = export.manifest
    chosen = ", ".join(f"{k}={v}" for k, v in said["filter"].items()) or "everything"
    yield f"{export.rows} rows, exported at {said['exported_at']}, filter: {chosen}"
    yield "the file is whole and unaltered: it is what the manifest was signed for"
    told = "the key you gave" if public_key else "compare it with the one you were given"
    yield f"signed with the public key {said['public_key']} ({told})"
    if export.key:
        yield "each row's own hash agrees with the audit key; all links between neighbours hold"
    else:
        yield "without the audit key the rows' own hashes were not checked"
    if export.gaps:
        yield f"gaps in the sequence: {export.gaps}; links across a gap cannot be checked"
    if export.anchors:
        yield f"{export.anchored} of {len(export.anchors)} anchors are of rows in here; they agree"


def follow(export: ExportedFile, file: TextIO, public_key: str) -> str:
    """Go through the file; returns the first problem, or nothing."""
    try:
        for entry in entries(file):
            if isinstance(entry, list):
                export.add(entry)
            elif export.manifest:
                return f"after row {export.last}: a second manifest"
            else:
                export.manifest = entry
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, csv.Error) as error:
        export.blame(export.last + 1, f"cannot be read: {error}")
    try:
        return export.close(public_key)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        return f"after row {export.last}: the manifest cannot be read: {error}"


def read_anchors(path: str, key: bytes) -> dict[int, str]:
    known = {}
    for line in Path(path).read_bytes().splitlines() if path else ():
        anchor = json.loads(line)
        mac = anchor.pop("mac")
        content = b"aviary-audit-anchor/1\n" + compact(anchor, sort_keys=True)
        if key and sealed(key, content) != mac:
            raise ValueError("an anchor was not written with this audit key")
        known[anchor["sequence"]] = anchor["hash"]
    return known


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("export")
    for name in ("--public-key", "--key-file", "--anchors"):
        parser.add_argument(name, default="")
    given = parser.parse_args()
    key = os.environ.get("AUDIT_KEY", "").encode()
    try:
        if given.key_file:
            key = Path(given.key_file).read_bytes().strip()
        export = ExportedFile(key, read_anchors(given.anchors, key))
        with Path(given.export).open(encoding="utf-8", newline="") as text:
            problem = follow(export, text, given.public_key)
    except OSError as error:
        print(f"cannot read {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except (ValueError, LookupError) as error:
        print(error, file=sys.stderr)
        return 2
    if problem:
        print(problem, file=sys.stderr)
        return 1
    print("\n".join(report(export, given.public_key)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
