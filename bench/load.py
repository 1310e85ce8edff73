"""Load from wrk, on a core of its own."""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

SECONDS = 4
CONNECTIONS = 32


class NoLoadGenerator(RuntimeError):
    """wrk is not installed."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run measured."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    errors: int


def pinned(core: int, command: list[str]) -> list[str]:
    """The command held to one core, where the system can do that."""
    return ["taskset", "-c", str(core), *command] if shutil.which("taskset") else command


def post(url: str, body: object, headers: dict[str, str]) -> Load:
    """POST the same JSON body over kept-alive connections, as fast as they are answered."""
    if not shutil.which("wrk"):
        raise NoLoadGenerator("make bench needs wrk; on Debian and Ubuntu: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_script(body, headers))
        script.flush()
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "--latency", "-s", script.name]
        done = subprocess.run(
            pinned(1, ["wrk", *options, url]), capture_output=True, text=True, check=True
        )
    return _read(done.stdout)


def _script(body: object, headers: dict[str, str]) -> str:
    lines = ['wrk.method = "POST"', f"wrk.body = {json.dumps(json.dumps(body))}"]
    lines += [f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}" for k, v in headers.items()]
    return "\n".join(lines)


def _read(output: str) -> Load:
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if not rate:
        raise RuntimeError(f"wrk said something unexpected:\n{output}")
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return Load(
        requests_per_s=float(rate[1]),
        p50_ms=_milliseconds(output, "50%"),
        p99_ms=_milliseconds(output, "99%"),
        errors=int(failed[1]) if failed else 0,
    )


def _milliseconds(output: str, percentile: str) -> float:
    found = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)\b", output)
    if not found:
        return float("nan")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]
