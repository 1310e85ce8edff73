"""Where the processes find their settings: environment variables, then ``var/aviary.env``.

``make up`` generates the file once (secrets, addresses), so that commands typed by hand see the
same settings as the running processes. The evaluator reads its settings here too; nothing in this
module may import Django's ORM.
"""

import os
import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

import environ

BASE_DIR = Path(__file__).resolve().parent.parent.parent

_HAPROXY = re.compile(
    r"([a-z0-9][a-z0-9-]{0,49})=(/[!-~]+|(?:[A-Za-z0-9.-]+|\[[0-9a-f:.]+\]):\d{1,5})"
)
_SWITCH = {"": False}
_SWITCH |= dict.fromkeys(("1", "true", "yes", "on"), True)
_SWITCH |= dict.fromkeys(("0", "false", "no", "off"), False)


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


def switch(name: str) -> bool:
    """A setting that is on or off, off where it is unset. Raises SettingError for anything else."""
    text = os.environ.get(name, "").strip().lower()
    if text not in _SWITCH:
        raise SettingError(f"{name} must be 1 or 0, not {text!r}")
    return _SWITCH[text]


def choice(name: str, default: str, choices: Sequence[str]) -> str:
    """One of several words, in capitals. Raises SettingError for any other."""
    value = (os.environ.get(name) or default).upper()
    if value not in choices:
        raise SettingError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return value


def mail_address(name: str, default: str) -> str:
    """An address such as ``Aviary <aviary@example.com>``. Raises SettingError for anything else."""
    value = os.environ.get(name) or default
    if "@" not in value or not value.isprintable():
        raise SettingError(f"{name} must look like Aviary <aviary@example.com>")
    return value


def database(default: str) -> dict[str, Any]:
    """DATABASE_URL as Django wants it. Raises SettingError when it names no database we support."""
    url = os.environ.get("DATABASE_URL") or default
    # Without the address itself, which may hold a password.
    error = SettingError(
        "DATABASE_URL must look like postgresql://user:password@host/name or sqlite:////path/to/file"
    )
    if not url.startswith(("postgresql://", "postgres://", "sqlite:///")):
        raise error
    try:
        return dict(environ.Env.db_url_config(url))
    except ValueError:
        raise error from None


def redis_url() -> str:
    """Where Redis is. Raises SettingError for a malformed address."""
    value = required("REDIS_URL")
    if not value.startswith(("redis://", "rediss://", "unix:///")):
        # Without the address itself, which may hold a password.
        raise SettingError(
            "REDIS_URL must look like redis://host:6379/0, rediss://… or unix:///path/to/socket"
        )
    return value


def web_address(name: str) -> str:
    """An optional http(s) address, empty where unset. Raises SettingError for a malformed one."""
    value = os.environ.get(name, "")
    if value and not value.startswith(("https://", "http://")):
        # Without the address itself, which may hold a token.
        raise SettingError(f"{name} must start with https:// or http://")
    return value


def networks(name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks such as 10.0.0.0/8, separated by commas; none without one."""
    found = [one.strip() for one in os.environ.get(name, "").split(",") if one.strip()]
    try:
        return tuple(ip_network(one) for one in found)
    except ValueError as error:
        raise SettingError(f"{name}: {error}; give networks such as 10.0.0.0/8,::1") from None


def haproxies(name: str) -> dict[str, str]:
    """Sockets such as edge=/run/haproxy.sock,west=10.0.0.7:9999: each address by its name; none
    where unset. Raises SettingError for anything else, and for a name that comes twice."""
    found: dict[str, str] = {}
    for one in filter(None, map(str.strip, os.environ.get(name, "").split(","))):
        parts = _HAPROXY.fullmatch(one)
        address = parts[2] if parts else "0"
        has_port = address.startswith("/") or 0 < int(address.rpartition(":")[2]) < 2**16
        if not parts or not has_port or parts[1] in found:
            form = "edge=/run/haproxy.sock,west=10.0.0.7:9999, each name once"
            raise SettingError(f"{name} must look like {form}; {one!r} does not")
        found[parts[1]] = address
    return found


def optional_secret(name: str) -> bytes:
    """A secret as ``secret_bytes`` wants it, empty where it is unset. Raises SettingError."""
    return secret_bytes(name) if os.environ.get(name) else b""


def secret_bytes(name: str) -> bytes:
    """A secret of at least 32 bytes. Raises SettingError when it is unset or too short."""
    value = required(name).encode()
    if len(value) < 32:
        raise SettingError(f"{name} needs at least 32 characters")
    return value
