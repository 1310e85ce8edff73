"""An export comes with what verifies it."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from flags.models import Flag
from portal.audit import sealing
from tests.portal.audit_web.conftest import LIST


@pytest.fixture
def folder(alice_client: Client, new_checkout: Flag, tmp_path: Path) -> Path:
    """An export in JSON Lines as it comes, unpacked."""
    response = alice_client.post(f"{LIST}export", {"format": "jsonl", "script": "1"})
    assert response["Content-Type"] == "application/zip"
    assert response["Content-Disposition"].endswith('.jsonl.zip"')
    content = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    return tmp_path


def verify(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the script that came with it, with nothing of ours around it."""
    (file,) = folder.glob("history-*.jsonl")
    command = [sys.executable, "-I", "verify.py", file.name, *options]
    return subprocess.run(command, check=False, cwd=folder, env={}, capture_output=True, text=True)


def test_an_export__as_it_comes__verifies_offline(folder: Path) -> None:
    key = sealing.public_key(settings.AUDIT_KEY)
    assert key in (folder / "READ-ME.txt").read_text()
    assert verify(folder).returncode == 0
    assert verify(folder, "--public-key", key).returncode == 0
    assert verify(folder, "--public-key", "00" * 32).returncode == 1


def test_an_export__one_letter_changed__does_not_verify(folder: Path) -> None:
    (file,) = folder.glob("history-*.jsonl")
    file.write_text(file.read_text().replace("new-checkout", "old-checkout", 1))
    done = verify(folder)
    assert done.returncode == 1, done
