"""Exports and the script that verifies them without us, run as auditors run it."""

import ast
import contextlib
import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import given, strategies as st

from portal.audit import chain, exporting, sealing, services
from portal.audit.exporting import COLUMNS, Manifest, json_lines
from portal.audit.offline.verify import FORMATS, is_signed
from portal.lib import clock
from tests.portal.audit import exports
from tests.portal.audit.conftest import record
from tests.portal.audit.exports import Row, verify

KINDS = ("jsonl", "csv")
KEY = settings.AUDIT_KEY
OTHER_KEY = b"a guess".ljust(32, b"!")
both_kinds = pytest.mark.parametrize("kind", KINDS)
with_and_without_key = pytest.mark.parametrize("key", [KEY, None], ids=["key", "no-key"])


def edited(rows: list[Row]) -> list[Row]:
    rows[2]["actor"] = "bob"
    return rows


def deleted(rows: list[Row]) -> list[Row]:
    return rows[:2] + rows[3:]


def inserted(rows: list[Row]) -> list[Row]:
    return [*rows[:3], rows[2] | {"actor": "bob"}, *rows[3:]]


def reordered(rows: list[Row]) -> list[Row]:
    return [rows[0], rows[2], rows[1], *rows[3:]]


def truncated(rows: list[Row]) -> list[Row]:
    return rows[:3]


def rewritten(rows: list[Row], key: bytes = OTHER_KEY) -> list[Row]:
    """All rows with another actor, linked anew."""
    last = chain.GENESIS
    for row in rows:
        row["actor"], row["previous_hash"] = "bob", last
        content = chain.canonical([row[name] for name in chain.FIELDS])
        last = chain.link(key, last, content)
        row["hash"] = last
    return rows


TAMPERS: list[tuple[Callable[[list[Row]], list[Row]], str, str]] = [
    (edited, "row 3: its content does not match its hash", "some row is not as it was exported"),
    (deleted, "row 3: missing: row 4 follows row 2", "row 3: missing"),
    (inserted, "row 3: ", "row 3: stands behind"),
    (reordered, "row 2: ", "row 2: "),
    (truncated, "row 4: missing: the file ends before", "row 4: missing: the file ends before"),
    (rewritten, "row 1: its content does not match its hash", "some row is not as it was exported"),
]


@both_kinds
@with_and_without_key
@pytest.mark.parametrize(
    ("tamper", "named", "seen"), TAMPERS, ids=lambda x: getattr(x, "__name__", "")
)
def test_verify__file_tampered_with__is_seen_and_with_the_key_the_row_is_named(
    trail: None,
    tmp_path: Path,
    kind: str,
    key: bytes | None,
    tamper: Callable[[list[Row]], list[Row]],
    named: str,
    seen: str,
) -> None:
    rows, manifest = exports.rows_of(tmp_path)
    path = tmp_path / f"tampered.{kind}"
    exports.write_anew(path, tamper(rows), manifest)
    status, said, complaint = verify(path, key=key)
    assert (status, said) == (1, "")
    assert complaint.startswith(named if key else seen)


@pytest.mark.postgresql
@both_kinds
@with_and_without_key
def test_verify__file_as_exported__holds(
    trail: None, tmp_path: Path, kind: str, key: bytes | None
) -> None:
    status, said, complaint = verify(exports.export(tmp_path, kind), key=key)
    assert (status, complaint) == (0, "")
    assert "5 rows" in said
    assert "whole and unaltered" in said
    assert ("each row's own hash agrees" in said) == bool(key)
    assert ("hashes were not checked" in said) == (key is None)


@pytest.mark.parametrize(
    "subject", ["\uff1d1+1", " =1+1", "|cmd", "'quoted'", "''", "\u200b=1", "\t'x", "%0A"]
)
def test_verify__csv_with_what_a_spreadsheet_would_run__holds_and_runs_nothing(
    db: None, tmp_path: Path, subject: str
) -> None:
    record(subject)
    path = exports.export(tmp_path, "csv")
    with path.open(encoding="utf-8", newline="") as file:
        _names, cells, _manifest = csv.reader(file)
    assert cells[COLUMNS.index("subject")] == f"'{subject}"
    assert verify(path, key=KEY)[0] == 0


@both_kinds
def test_verify__filtered_export__says_what_the_gaps_leave_open(
    trail: None, tmp_path: Path, kind: str
) -> None:
    record("third")
    record("third")
    path = exports.export(tmp_path, kind, subject="third")
    status, said, _ = verify(path, key=KEY)
    assert status == 0
    assert "3 rows" in said
    assert "filter: subject=third" in said
    assert "gaps in the sequence: 1; links across a gap cannot be checked" in said


@both_kinds
@with_and_without_key
def test_verify__row_left_out_of_a_filtered_export__is_seen(
    trail: None, tmp_path: Path, kind: str, key: bytes | None
) -> None:
    for _ in range(2):
        record("between")
        record("third")
    path = exports.export(tmp_path, "jsonl", subject="third")
    *rows, last = map(json.loads, path.read_text().splitlines())
    path = tmp_path / f"less.{kind}"
    exports.write_anew(path, [rows[0], rows[2]], last["manifest"])
    assert verify(path, key=key)[0] == 1


@both_kinds
def test_verify__nothing_to_export__holds(db: None, tmp_path: Path, kind: str) -> None:
    status, said, _ = verify(exports.export(tmp_path, kind), key=KEY)
    assert (status, said.startswith("0 rows")) == (0, True)


@with_and_without_key
@pytest.mark.parametrize(
    "changed",
    [
        {"filter": {"actor": "alice"}},
        {"exported_at": "2020-01-01T00:00:00.000000+00:00"},
        {"public_key": sealing.public_key(OTHER_KEY)},
        {"signature": "00" * 64},
        {"signature": "xyz"},
        {"first_previous_hash": "1" * 64},
        {"format": "another/1"},
        {"rows": None},
        {"mac": "0" * 64, "signature": ""},
    ],
)
def test_verify__manifest_changed__is_seen(
    trail: None, tmp_path: Path, key: bytes | None, changed: Row
) -> None:
    rows, manifest = exports.rows_of(tmp_path)
    path = tmp_path / "changed.jsonl"
    exports.write_anew(path, rows, manifest | changed)
    status, _, complaint = verify(path, key=key)
    assert (status, bool(complaint)) == (1, True)


@both_kinds
def test_verify__export_of_somebody_else__is_told_from_ours_by_the_public_key(
    trail: None, tmp_path: Path, kind: str
) -> None:
    """A forger without our key can sign what he likes, with a key of his own."""
    rows, _ = exports.rows_of(tmp_path)
    forged = rewritten(rows, OTHER_KEY)
    manifest = Manifest(key=OTHER_KEY, filters={}, exported_at=clock.now())
    values = [[row[name] for name in COLUMNS] for row in forged]
    path = tmp_path / f"forged.{kind}"
    path.write_bytes(b"".join(exports.WRITERS[kind](values, manifest)))
    status, said, _ = verify(path)
    assert status == 0
    assert "compare it with the one you were given" in said
    status, _, complaint = verify(path, "--public-key", sealing.public_key(KEY))
    assert (status, complaint.startswith("the manifest is signed by somebody else")) == (1, True)
    assert verify(path, key=KEY)[2] == "row 1: its content does not match its hash"


def test_verify__all_made_anew_with_the_key__anchors_name_the_row(
    trail: None, tmp_path: Path, anchor_file: Path
) -> None:
    services.anchor_head(now=clock.now())
    honest = exports.export(tmp_path, "jsonl")
    status, said, _ = verify(honest, "--anchors", str(anchor_file), key=KEY)
    assert (status, "1 of 1 anchors" in said) == (0, True)
    rows, _ = exports.rows_of(tmp_path)
    manifest = Manifest(key=KEY, filters={}, exported_at=clock.now())
    values = [[row[name] for name in COLUMNS] for row in rewritten(rows, KEY)]
    path = tmp_path / "anew.jsonl"
    path.write_bytes(b"".join(json_lines(values, manifest)))
    assert verify(path, key=KEY)[0] == 0
    status, _, complaint = verify(path, "--anchors", str(anchor_file), key=KEY)
    assert (status, complaint) == (1, f"row 5: {chain.ANOTHER_ROW}")


def test_verify__key_in_a_file__is_used(trail: None, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(KEY + b"\n")
    status, said, _ = verify(exports.export(tmp_path, "csv"), "--key-file", str(file))
    assert (status, "each row's own hash agrees" in said) == (0, True)


@pytest.mark.parametrize("name", ["none.csv", "."])
def test_verify__file_that_cannot_be_read__is_status_2(tmp_path: Path, name: str) -> None:
    status, _, complaint = verify(tmp_path / name)
    assert (status, complaint.startswith("cannot read")) == (2, True)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"a,b\r\n", b"{", b"{}\n", b'{"manifest":1}\n', b'{"manifest":{}}\n', b"\xff"),
        *(b"[" * 9999, b'{"a":' * 9999, b'{"sequence":1,"sequence":1}\n', b"\x00"),
    ],
)
def test_verify__no_export__is_a_sentence_and_status_1(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    status, said, complaint = verify(path)
    assert (status, said, len(complaint.splitlines())) == (1, "", 1)


@given(st.binary(max_size=80), st.integers(0, 511))
def test_signature__the_script_and_the_library_agree(message: bytes, bit: int) -> None:
    public_key = bytes.fromhex(sealing.public_key(KEY))
    signature = bytes.fromhex(sealing.signature(KEY, "p", message))
    assert is_signed(public_key, b"p\n" + message, signature)
    assert not is_signed(public_key, b"q\n" + message, signature)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(ValueError):  # it does not even name a point
        assert not is_signed(public_key, b"p\n" + message, bytes(flipped))


def test_script__needs_nothing_but_python_3_9() -> None:
    tree = ast.parse(exports.SCRIPT.read_text(), feature_version=(3, 9))
    imported = {
        name
        for node in ast.walk(tree)
        for name in (
            [node.module]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in getattr(node, "names", [])]
        )
    }
    assert imported == {
        *("__future__", "argparse", "collections.abc", "csv", "hashlib", "hmac", "json", "os"),
        *("pathlib", "sys", "typing"),
    }
    assert tuple(FORMATS[exporting.FORMAT]) == COLUMNS
