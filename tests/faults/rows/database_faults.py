"""The database is set back, locked or away, and web is killed."""

import signal
import sqlite3
import threading
import time
from pathlib import Path

import httpx

from tests.faults.harness import Figure, fault
from tests.faults.installation import CONFIGURATION, Installation
from tests.support.waiting import wait_until


def _database(place: Installation) -> Path:
    return place.stack.var / "aviary.sqlite3"


def _copy(source: Path, target: Path) -> None:
    """A whole SQLite database over another, with those at work who have it open."""
    with sqlite3.connect(source, timeout=30) as read, sqlite3.connect(target, timeout=30) as write:
        read.backup(write)


def _set_back(place: Installation, *, empty: bool) -> list[Figure]:
    """Lose three writes and write five others, while Redis is frozen or gone."""
    backup = place.stack.var / "backup.sqlite3"
    _copy(_database(place), backup)
    for _write in range(3):
        place.write()
    place.seconds_until(place.is_current)
    seen = place.position()
    place.redis.kill() if empty else place.redis.freeze()
    _copy(backup, _database(place))
    place.enabled = place.api("GET", CONFIGURATION).json()["enabled"]
    place.mark_writes()
    for number in range(5):
        _create_flag(place, f"after-restore-{'empty' if empty else 'frozen'}-{number}")
    place.redis.start() if empty else place.redis.thaw()
    right_s = place.seconds_until(place.is_current)
    return [
        Figure("right after Redis' return", right_s, "s", 3),
        Figure("positions not later than before", int(place.position() <= seen), "", 0),
    ]


def _create_flag(place: Installation, key: str) -> None:
    variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
    document = {"key": key, "name": key, "kind": "release", "value_type": "boolean"}
    answer = place.api(
        "POST", "/api/v1/projects/demo/flags", json=document | {"variants": variants}
    )
    assert answer.status_code == 201, answer.text


@fault("database set back while Redis is frozen, then five other writes", in_ci=True)
def set_back_frozen(place: Installation) -> list[Figure]:
    return _set_back(place, empty=False)


@fault("database set back while Redis is gone, then five other writes")
def set_back_empty(place: Installation) -> list[Figure]:
    return _set_back(place, empty=True)


@fault("database locked for 10 s")
def database_locked(place: Installation) -> list[Figure]:
    quiet = place.load.quiet(2).p99_ms
    lock = sqlite3.connect(_database(place), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    began, statuses, slowest_s = time.monotonic(), [], 0.0
    while time.monotonic() - began < 10:
        asked_at = time.monotonic()
        answer = place.patch(False)
        slowest_s = max(slowest_s, time.monotonic() - asked_at)
        statuses.append(answer.status_code if answer is not None else 0)
    locked = place.load.since(began)
    lock.execute("ROLLBACK")
    lock.close()
    wait_until(lambda: (answer := place.write()) and answer.status_code == 200, what="a write")
    return [
        Figure("slowest refusal", slowest_s, "s", 5.5),
        Figure("answers that were not 503", sum(one != 503 for one in statuses), "", 0),
        Figure("p99 locked", locked.p99_ms, "ms", 2 * quiet + 10),
        Figure("visible after", place.seconds_until(place.is_current), "s", 3),
    ]


@fault("database down (PostgreSQL kill -9)", on_postgres=True)
def database_down(place: Installation) -> list[Figure]:
    assert place.postgres is not None
    place.postgres.kill()
    began, statuses, slowest_s = time.monotonic(), [], 0.0
    for _write in range(4):
        asked_at = time.monotonic()
        answer = place.patch(False)
        slowest_s = max(slowest_s, time.monotonic() - asked_at)
        statuses.append(answer.status_code if answer is not None else 0)
        time.sleep(0.5)
    down = place.load.since(began)
    place.postgres.start()
    back_s = place.seconds_until(lambda: (answer := place.write()) and answer.status_code == 200)
    return [
        Figure("slowest refusal", slowest_s, "s", 5.5),
        Figure("answers that were not 503", sum(one != 503 for one in statuses), "", 0),
        Figure("evaluation errors meanwhile", down.errors, "", 0),
        Figure("writes again after", back_s, "s", 10),
        Figure("visible after", place.seconds_until(place.is_current), "s", 3),
    ]


@fault("web killed in a request")
def web_killed(place: Installation) -> list[Figure]:
    """All or nothing; a retry with the same Idempotency-Key does it once."""
    repeated = 0
    for number in range(3):
        wanted = not place.enabled
        version = place.api("GET", CONFIGURATION).headers["etag"]
        headers = {"If-Match": version, "Idempotency-Key": f"killed-{number}"}
        sent = threading.Thread(target=_send, args=(place, wanted, headers))
        sent.start()
        time.sleep(0.01 * (1 + number))
        place.signal("granian", signal.SIGKILL)
        sent.join()
        place.attempted += 1
        answer = _insist(place, wanted, headers)
        repeated += answer.status_code != 200
        place.acknowledged += answer.status_code == 200
        place.enabled = wanted
    return [
        Figure("retries that were not answered 200", repeated, "", 0),
        Figure("visible after", place.seconds_until(place.is_current), "s", 3),
    ]


def _insist(place: Installation, enabled: bool, headers: dict[str, str]) -> httpx.Response:
    """Send it until there is an answer."""
    found = wait_until(lambda: _send(place, enabled, headers), within_s=60, what="an answer")
    assert found is not None
    return found


def _send(place: Installation, enabled: bool, headers: dict[str, str]) -> httpx.Response | None:
    try:
        return place.api("PATCH", CONFIGURATION, json={"enabled": enabled}, headers=headers)
    except httpx.HTTPError:
        return None
