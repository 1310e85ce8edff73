"""Where the processes find their settings: environment variables, then ``var/aviary.env``.

``make up`` generates the file once (secrets, addresses), so that commands typed by hand see the
same settings as the running processes. The evaluator reads its settings here too; nothing in this
module may import Django's ORM.
"""

import os
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent.parent


class SettingError(RuntimeError):
    """A setting is missing or malformed; the message says which one and what to do."""


def var_dir() -> Path:
    """The folder for everything that outlives a process: database, secrets, sockets."""
    return Path(os.environ.get("AVIARY_VAR") or BASE_DIR / "var").resolve()


def load_file() -> None:
    """Read ``var/aviary.env`` where there is one; what the environment already says, wins."""
    path = var_dir() / "aviary.env"
    try:
        if path.is_file():
            environ.Env.read_env(str(path), overwrite=False)
    except OSError as error:
        raise SettingError(
            f"cannot read {path}: {error.strerror}; check its owner and mode"
        ) from None


def required(name: str) -> str:
    """The value of a setting that has no default. Raises SettingError when it is unset."""
    value = os.environ.get(name, "")
    if not value:
        raise SettingError(f"{name} is not set; start with `make up`, or set it in the environment")
    return value


def whole_number(name: str, default: int, *, least: int = 0, most: int = 2**31) -> int:
    """An integer setting within bounds. Raises SettingError when it is not one."""
    text = os.environ.get(name, "")
    try:
        value = int(text) if text else default
    except ValueError:
        raise SettingError(f"{name} must be a whole number, not {text!r}") from None
    if not least <= value <= most:
        raise SettingError(f"{name} must lie between {least} and {most}, not {value}")
    return value


def secret_bytes(name: str) -> bytes:
    """A secret of at least 32 bytes. Raises SettingError when it is unset or too short."""
    value = required(name).encode()
    if len(value) < 32:
        raise SettingError(f"{name} needs at least 32 characters")
    return value
