"""``var/``: made on the first start, with secrets that nobody else can read."""

import os
import secrets
from pathlib import Path

from portal.lib.env import SettingError

SECRETS = ("SECRET_KEY", "AUDIT_KEY", "SNAPSHOT_KEY", "METRICS_TOKEN")


def prepare(folder: Path) -> None:
    """Make the folder and its ``aviary.env``, or check that the ones there can be used.

    Raises SettingError with one clear line when they cannot.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
        _write_once(folder / "aviary.env", _settings(folder))
    except OSError as error:
        raise SettingError(
            f"cannot use {folder}: {error.strerror}; check its owner and mode, "
            "or choose another folder with AVIARY_VAR=…"
        ) from None


def remember_secret(path: Path, value: str) -> str:
    """Keep a secret in a file only its owner can read; an earlier one stays. Returns it."""
    _write_once(path, value + "\n")
    return path.read_text().strip()


def redis_socket(folder: Path) -> Path:
    return folder / "redis.sock"


def _settings(folder: Path) -> str:
    lines = [
        "# Made by the first `make up`. Keep it secret; back it up together with the database."
    ]
    lines += [f"{name}={secrets.token_urlsafe(48)}" for name in SECRETS]
    lines.append(f"REDIS_URL=unix://{redis_socket(folder)}")
    return "\n".join(lines) + "\n"


def _write_once(path: Path, text: str) -> None:
    """Create the file with this text, whole and private, unless it is there already."""
    if path.exists():
        path.read_bytes()  # raises where it cannot be read
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
