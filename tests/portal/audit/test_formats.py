"""The two formats of an export, by themselves."""

import csv
import io
import json
from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import given, strategies as st

from portal.audit.exporting import COLUMNS, Manifest, csv_lines, json_lines
from portal.audit.models import AuditEvent
from portal.lib import clock
from tests.portal.audit import exports
from tests.portal.audit.conftest import record
from tests.portal.audit.exports import verify

KEY = settings.AUDIT_KEY


def test_csv__cells_that_a_spreadsheet_would_compute__are_texts_and_come_back(
    db: None, tmp_path: Path
) -> None:
    nasty = [
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\tx",
        "\rx",
        "\nx",
        "'quoted",
        "\uff1dx",
        'a,"b"\r\nc',
        ";=1",
    ]
    for subject in nasty:
        record(subject)
    path = exports.export(tmp_path, "csv")
    with path.open(newline="", encoding="utf-8") as file:
        _, *table, _manifest = csv.reader(file)
    assert not any(cell[:1] and cell[0] in "=+-@\t\r\n\uff1d" for row in table for cell in row)
    cells = [row[COLUMNS.index("subject")] for row in table]
    assert [c.removeprefix("'") if c.startswith("'") else c for c in cells] == nasty
    assert verify(path, key=KEY)[0] == 0


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=21, max_size=21))
def test_export__any_texts__read_the_same_in_both_formats(texts: list[str]) -> None:
    row: list[object] = [7, *texts[:9], 3, *texts[9:17], None, *texts[17:]]
    assert COLUMNS.index("change_request") == 19
    made = [Manifest(key=KEY, filters={}, exported_at=clock.now()) for _ in range(2)]
    json_file = b"".join(json_lines([row], made[0])).decode()
    csv_file = b"".join(csv_lines([row], made[1])).decode()
    first = json.loads(json_file.split("\n")[0])
    assert [first[name] for name in COLUMNS] == row
    if "\0" not in "".join(texts):  # the csv module of older Pythons refuses it
        _, cells, _ = csv.reader(io.StringIO(csv_file, newline=""))
        assert [c[1:] if c.startswith("'") else c for c in cells] == [
            "" if v is None else str(v) for v in row
        ]
    assert made[0].close()["rows_sha256"] == made[1].close()["rows_sha256"]


def test_export__rows_out_of_order__are_refused(trail: None) -> None:
    rows = AuditEvent.objects.order_by("-sequence").values_list(*COLUMNS)
    manifest = Manifest(key=KEY, filters={}, exported_at=clock.now())
    with pytest.raises(ValueError, match="row 4 cannot be exported after row 5"):
        list(json_lines(rows, manifest))


def test_export__json_lines__have_the_keys_in_the_documented_order(
    trail: None, tmp_path: Path
) -> None:
    rows, manifest = exports.rows_of(tmp_path)
    assert [list(row) for row in rows] == [list(COLUMNS)] * 5
    assert (rows[0]["sequence"], rows[0]["version"], type(rows[0]["before"])) == (1, 3, str)
    assert list(manifest)[:8] == [
        *("format", "rows", "first_sequence", "last_sequence"),
        *("first_previous_hash", "last_hash", "filter", "exported_at"),
    ]
