"""The evaluator's settings, from the environment or ``var/aviary.env``."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from flags.channel import Sealer
from flags.evaluator.framing import RequestLimits
from flags.evaluator.link import Link
from flags.evaluator.tickets import Tickets, derive_key
from portal.lib import env


@dataclass(frozen=True, slots=True)
class Settings:
    host: str
    port: int
    link: Link
    sealer: Sealer
    tickets: Tickets
    # Where clients reach the evaluator; empty for wherever they asked it.
    public_url: str
    limits: RequestLimits
    copy_dir: Path | None
    copy_max_age_s: float
    # How long what is to be sent up waits here while Redis is away.
    intake_s: float
    # How much of each kind, roughly.
    intake_bytes: int
    # Requests that show it see the names of environments; empty for nobody.
    metrics_token: bytes


def read_settings() -> Settings:
    """Raises env.SettingError with one sentence about the first setting that is wrong."""
    env.load_file()
    secret = env.secret_bytes("SNAPSHOT_KEY")
    return Settings(
        host=os.environ.get("EVALUATOR_HOST") or "127.0.0.1",
        port=env.whole_number("EVALUATOR_PORT", 8080, most=65535),
        link=_read_link(),
        sealer=Sealer(secret),
        tickets=Tickets(derive_key(secret)),
        public_url=os.environ.get("EVALUATOR_URL", ""),
        limits=_read_limits(),
        copy_dir=_copy_dir(),
        copy_max_age_s=3600 * env.whole_number("EVALUATOR_COPY_MAX_AGE_H", 168, most=87_600),
        intake_s=env.whole_number("EVALUATOR_INTAKE_SECONDS", 900, least=1, most=3000),
        intake_bytes=env.whole_number("EVALUATOR_INTAKE_BYTES", 16 * 2**20, least=1000, most=2**32),
        metrics_token=env.optional_secret("METRICS_TOKEN"),
    )


def _read_limits() -> RequestLimits:
    most = 64 * 1024 * 1024
    return RequestLimits(
        line_bytes=env.whole_number("EVALUATOR_LINE_BYTES", 8 * 1024, least=256, most=most),
        header_bytes=env.whole_number("EVALUATOR_HEADER_BYTES", 16 * 1024, least=256, most=most),
        header_lines=env.whole_number("EVALUATOR_HEADER_LINES", 100, least=10, most=10_000),
        head_s=env.whole_number("EVALUATOR_HEAD_SECONDS", 10, least=1, most=600),
        body_bytes=env.whole_number("EVALUATOR_BODY_BYTES", 1024 * 1024, least=256, most=most),
        body_s=env.whole_number("EVALUATOR_BODY_SECONDS", 10, least=1, most=600),
        json_depth=env.whole_number("EVALUATOR_JSON_DEPTH", 64, least=2, most=500),
        json_values=env.whole_number("EVALUATOR_JSON_VALUES", 10_000, least=10, most=1_000_000),
        telemetry_bytes=env.whole_number(
            "EVALUATOR_TELEMETRY_BYTES", 4 * 1024 * 1024, least=256, most=most
        ),
        telemetry_outcomes=env.whole_number(
            "EVALUATOR_TELEMETRY_OUTCOMES", 50_000, least=1, most=1_000_000
        ),
    )


def _copy_dir() -> Path | None:
    folder = os.environ.get("EVALUATOR_COPY_DIR")
    if folder is None:
        return env.var_dir() / "evaluator"
    return Path(folder) if folder else None


def _read_link() -> Link:
    try:
        return Link(env.required("REDIS_URL"))
    except ValueError:
        # Without the address itself, which may hold a password.
        raise env.SettingError(
            "REDIS_URL must look like redis://host:6379/0, rediss://… or unix:///path/to/socket"
        ) from None


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises env.SettingError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise env.SettingError(
            f"cannot listen on {host} port {port}: {error.strerror or error}; "
            "set EVALUATOR_HOST and EVALUATOR_PORT"
        ) from None
