"""The evaluator against a plain ASGI hello: what answering a flag costs on top of HTTP itself."""

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from portal.lib import env
from portal.supervisor import processes, state
from portal.supervisor.processes import Addresses
from portal.supervisor.supervised import Process, Supervisor

# Load from wrk, on a core of its own.

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


def post(
    url: str,
    body: object,
    headers: dict[str, str],
    *,
    connections: int = CONNECTIONS,
    pause_ms: int = 0,
) -> Load:
    """POST the same JSON body over kept-alive connections, as fast as they are answered, or each
    with a pause."""
    return load(url, _script(body, headers, pause_ms), connections=connections)


def load(url: str, lua: str, *, connections: int = CONNECTIONS) -> Load:
    """What wrk measures that does what a script says."""
    if not shutil.which("wrk"):
        raise NoLoadGenerator("make bench needs wrk; on Debian and Ubuntu: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(lua)
        script.flush()
        options = ["-t1", f"-c{connections}", f"-d{SECONDS}", "--latency", "-s", script.name]
        done = subprocess.run(
            pinned(1, ["wrk", *options, url]), capture_output=True, text=True, check=True
        )
    return _read(done.stdout)


def _script(body: object, headers: dict[str, str], pause_ms: int) -> str:
    lines = ['wrk.method = "POST"', f"wrk.body = {json.dumps(json.dumps(body))}"]
    if pause_ms:
        lines.append(f"function delay() return {pause_ms} end")
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


# Where a measurement was made: without it a figure says nothing.


def describe() -> str:
    """One line: processor, cores, system, Python and server versions."""
    return (
        f"{_processor()}, {os.cpu_count()} cores; {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}; uvicorn {version('uvicorn')}, "
        f"uvloop {version('uvloop')}, httptools {version('httptools')}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


SERVER_CORE = 0
ROUNDS = 3
PEER = "plain ASGI hello (the peer)"
CONTEXT = {"targetingKey": "user-1", "country": "DE", "email": "ann@mail.example"}
CASES = [
    ("one flag, the same for everyone", "/ofrep/v1/evaluate/flags/payments-kill-switch"),
    ("one flag, two rules, a percentage", "/ofrep/v1/evaluate/flags/new-checkout"),
    ("all six flags at once", "/ofrep/v1/evaluate/flags"),
]


def run() -> list[str]:
    """Measure; returns the lines of a Markdown table."""
    supervisor = Supervisor()
    with tempfile.TemporaryDirectory(prefix="aviary-bench-") as folder:
        try:
            return _measure(supervisor, Path(folder))
        finally:
            supervisor.stop()


def _measure(supervisor: Supervisor, folder: Path) -> list[str]:
    token, port = installation(supervisor, folder), free_port()
    hello_port = free_port()
    evaluator = Process(
        "evaluator",
        pinned(SERVER_CORE, [sys.executable, "-m", "flags.evaluator"]),
        {"EVALUATOR_PORT": str(port)},
    )
    supervisor.start(evaluator)
    supervisor.start(Process("hello", pinned(SERVER_CORE, _hello(hello_port))))
    wait_for(f"http://127.0.0.1:{port}/ready")
    wait_for(f"http://127.0.0.1:{hello_port}/")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    addresses = {PEER: f"http://127.0.0.1:{hello_port}/"}
    addresses |= {title: f"http://127.0.0.1:{port}{path}" for title, path in CASES}
    return _table(_best_of_rounds(addresses, headers))


def _best_of_rounds(addresses: dict[str, str], headers: dict[str, str]) -> dict[str, Load]:
    """Each case's best round. Rounds take turns, so that a busy moment spoils no single case."""
    best: dict[str, Load] = {}
    for _round in range(ROUNDS):
        for title, address in addresses.items():
            found = post(address, {"context": CONTEXT}, headers)
            if found.errors:
                raise RuntimeError(f"{title}: {found.errors} answers were errors")
            best[title] = max(found, best.get(title, found), key=lambda one: one.requests_per_s)
    return best


def installation(supervisor: Supervisor, folder: Path) -> str:
    """A Redis and a database with the demo project; the token of its server key."""
    os.environ["AVIARY_VAR"] = str(folder)
    os.environ.pop("DATABASE_URL", None)
    os.environ.pop("REDIS_URL", None)
    state.prepare(folder)
    env.load_file()
    supervisor.start(processes.redis_process(state.redis_socket(folder)))
    processes.wait_until_it_answers(state.redis_socket(folder))

    from portal.supervisor import first_start

    first_start.prepare_database(Addresses.from_environment())
    return (folder / "demo-token").read_text().strip()


def _hello(port: int) -> list[str]:
    options = ["--port", str(port), "--loop", "uvloop", "--http", "httptools"]
    quiet = ["--no-access-log", "--log-level", "warning"]
    return [sys.executable, "-m", "uvicorn", "bench.hello:application", *options, *quiet]


def _table(rows: dict[str, Load]) -> list[str]:
    lines = [
        "| one core | requests/s | of the peer | p50 | p99 |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for title, one in rows.items():
        share = one.requests_per_s / rows[PEER].requests_per_s
        lines.append(
            f"| {title} | {one.requests_per_s:,.0f} | {share:.0%} "
            f"| {one.p50_ms:.2f} ms | {one.p99_ms:.2f} ms |"
        )
    return lines


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 - ours
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
