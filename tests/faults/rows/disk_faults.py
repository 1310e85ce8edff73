"""An evaluator starts while Redis is away: it serves the copy on disk."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from flags.evaluator.copy_files import read_copy
from tests.faults.harness import Figure, fault
from tests.faults.installation import (
    ENVIRONMENT,
    EVALUATION,
    PROJECT,
    Installation,
)
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.support import settings_env
from tests.support.waiting import wait_until

FLAGS = 500
IMPORT = f"/api/v1/projects/{PROJECT}/environments/{ENVIRONMENT}/import?format=flagd"


@fault("evaluator cold start with Redis frozen")
def cold_start(place: Installation) -> list[Figure]:
    """From disk, from the copy before where that is corrupt, and 503 without any."""
    _fill(place)
    newest = _copy_of(place)
    wait_until(lambda: _documents(newest) > FLAGS, within_s=30, what="the copy of all flags")
    # Another change, and another copy of it, which leaves the first as the one before.
    place.write()
    place.mark_writes()  # the import took versions of its own
    previous = newest.with_name(newest.name + ".previous")
    wait_until(lambda: _documents(previous) > FLAGS, within_s=30, what="the copy before")
    place.redis.freeze()
    try:
        ready_s, answered = _start(place, newest, previous)
        previous_s, from_previous = _start(place, newest, previous, cut=[newest])
        _nothing_s, from_nothing = _start(place, newest, previous, cut=[newest, previous])
    finally:
        place.redis.thaw()
    return [
        Figure("flags", FLAGS),
        Figure("ready from disk after", ready_s, "s", 2),
        Figure("ready from the copy before after", previous_s, "s", 2),
        Figure("answers that were no 200", 2 - [answered, from_previous].count(200), "", 0),
        Figure("answers without any copy that were no 503", int(from_nothing != 503), "", 0),
    ]


def _fill(place: Installation) -> None:
    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}
    flags = {f"filler-{number}": flag for number in range(FLAGS)}
    place.api("POST", IMPORT, json={"flags": flags}).raise_for_status()


def _copy_of(place: Installation) -> Path:
    """The newest copy of the environment that the load asks."""
    folder = place.stack.var / "evaluator"
    headers = {"Authorization": f"Bearer {place.server}"}
    health = httpx.get(f"{place.stack.evaluator_url}/health", headers=headers).json()
    return folder / str(health["environments"][0]["id"])


def _documents(path: Path) -> int:
    try:
        return len(read_copy(path).documents)
    except (FileNotFoundError, ValueError):
        return 0


def _start(place: Installation, *files: Path, cut: Sequence[Path] = ()) -> tuple[float, int]:
    """Start one more evaluator: how long until it is ready, and what it answers.

    It has a folder of its own, for evaluators mend copies that they find broken.
    """
    folder = settings_env.temporary_folder()
    for file in files:
        content = file.read_bytes()
        (folder / file.name).write_bytes(content[:-1] if file in cut else content)
        os.utime(folder / file.name)
    lines = (place.stack.var / "aviary.env").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line)
    process = EvaluatorProcess(
        place.redis.url,
        place.stack.var,
        snapshot_key=settings["SNAPSHOT_KEY"],
        settings={"EVALUATOR_COPY_DIR": str(folder)},
    )
    began = time.monotonic()
    process.start()
    try:
        # Without any copy it never is; else a busy machine may take its time.
        within_s = 5 if len(cut) == len(files) else 60
        while not process.is_ready() and time.monotonic() - began < within_s:
            time.sleep(0.01)
        taken_s = time.monotonic() - began
        headers = {"Authorization": f"Bearer {place.server}"}
        answer = process.http.post(EVALUATION, json={"context": {}}, headers=headers)
        return taken_s, answer.status_code
    finally:
        process.stop()


@fault("toggle while Redis is frozen never looks done", in_ci=True)
def toggle_frozen(place: Installation) -> list[Figure]:
    """Published is no until it is out, and all is right within 3 s of Redis' return."""
    place.redis.freeze()
    try:
        answer = place.write()
        done = answer is None or answer.json().get("published") is not False
        behind = httpx.get(f"{place.stack.portal_url}/health", timeout=5).json()["status"]
    finally:
        place.redis.thaw()
    live_s = place.seconds_until(lambda: _health(place) == "ok" and place.is_current())
    return [
        Figure("answers that looked done", int(done), "", 0),
        Figure("reports that said ok", int(behind == "ok"), "", 0),
        Figure("state right after", live_s, "s", 3),
    ]


def _health(place: Installation) -> str:
    return str(httpx.get(f"{place.stack.portal_url}/health", timeout=5).json()["status"])
