"""Beat is away, or somebody wrote to the broker's keys: what is due comes all the same."""

import signal
from datetime import UTC, datetime

from tests.faults.harness import Figure, fault
from tests.faults.installation import ENVIRONMENT, PROJECT, Installation

PLACE = f"/api/v1/projects/{PROJECT}/environments/{ENVIRONMENT}"
EVERYBODY = {
    "id": "everybody",
    "when": {"attribute": "country", "operator": "exists"},
    "audience": {"percent": 1},
    "serve": {"variant": "on"},
}


def _ramped(place: Installation, key: str) -> float:
    """How long it takes until the first step of a ramp, due at once, is done."""
    variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
    flag = {"key": key, "kind": "release", "value_type": "boolean", "variants": variants}
    assert place.api("POST", f"/api/v1/projects/{PROJECT}/flags", json=flag).status_code == 201
    address = f"{PLACE}/flags/{key}"
    read = place.api("GET", address)
    document = read.json() | {"rules": [EVERYBODY], "enabled": True}
    document = {name: one for name, one in document.items() if name not in _TOLD}
    saved = place.api("PUT", address, json=document, headers={"If-Match": read.headers["etag"]})
    assert saved.status_code == 200, saved.text
    steps = [{"percent": 50, "after_s": 0}, {"percent": 60, "after_s": 86_400}]
    ramp = {"flag": key, "target": {"part": "audience", "rule": "everybody"}, "steps": steps}
    made = place.api("POST", f"{PLACE}/ramps", json=ramp)
    assert made.status_code == 201, made.text
    return place.seconds_until(
        lambda: place.api("GET", made.headers["location"]).json()["steps_done"] == 1
    )


_TOLD = ("flag", "version", "updated_at", "updated_by")


@fault("no beat, and the broker's keys of wrong types", in_ci=True)
def no_beat(place: Installation) -> list[Figure]:
    place.signal("celery -A portal.celery --quiet beat", signal.SIGSTOP)
    began = datetime.now(UTC)
    without_s = _ramped(place, f"no-beat-{began:%H%M%S}")
    with place.redis.client() as client:
        for name in ("celery", "_kombu.binding.celery", "unacked", "unacked_index"):
            client.delete(name)
            client.set(name, "x")
    wrong_s = _ramped(place, f"no-broker-{began:%H%M%S}")
    place.signal("celery -A portal.celery --quiet beat", signal.SIGCONT)
    place.mark_writes()
    return [
        Figure("due work done without beat after", without_s, "s", 10),
        Figure("and without a broker that works after", wrong_s, "s", 10),
    ]
