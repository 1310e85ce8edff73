"""Exported files, and the script that ships with them run as auditors run it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings

from portal.audit import exporting
from portal.audit.exporting import Manifest, csv_lines, json_lines
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.web.spreadsheets import guard
from tests.support import settings_env

SCRIPT = settings_env.ROOT / "portal" / "audit" / "offline" / "verify.py"
WRITERS = {"jsonl": json_lines, "csv": csv_lines}
Row = dict[str, object]


def export(folder: Path, kind: str, **filters: str) -> Path:
    """Export the trail as the history pages do."""
    rows = AuditEvent.objects.filter(**filters).order_by("sequence").values_list(*exporting.COLUMNS)
    manifest = Manifest(key=settings.AUDIT_KEY, filters=filters, exported_at=clock.now())
    path = folder / f"trail.{kind}"
    path.write_bytes(b"".join(WRITERS[kind](rows.iterator(), manifest)))
    return path


def verify(path: Path, *words: str, key: bytes | None = None) -> tuple[int, str, str]:
    """Run the script with a bare interpreter; its status, output and complaint."""
    environment = {"AUDIT_KEY": key.decode()} if key else {}
    command = [sys.executable, "-I", "-W", "error", str(SCRIPT), str(path), *words]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, timeout=60
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr.strip()


def write_anew(path: Path, lines: list[Row], manifest: Mapping[str, object]) -> None:
    """Write a file of these rows with a manifest that may not be theirs."""
    if path.suffix == ".jsonl":
        documents = [*lines, {"manifest": manifest}]
        path.write_text("".join(json.dumps(d, ensure_ascii=False) + "\n" for d in documents))
        return
    cells = [[guard("" if v is None else str(v)) for v in d.values()] for d in lines]
    table = [list(exporting.COLUMNS), *cells, [exporting.CSV_MANIFEST, json.dumps(manifest)]]
    path.write_bytes(b"".join(exporting._csv(row) for row in table))


def rows_of(folder: Path) -> tuple[list[Row], dict[str, object]]:
    """The rows of an export of everything, and its manifest."""
    *rows, last = map(json.loads, export(folder, "jsonl").read_text().splitlines())
    return rows, last["manifest"]
