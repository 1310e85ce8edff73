"""Releases with a step a second, made and looked at inside an installation.

Its process stays, so each fault counts those that it has made itself. A release that has come to
its end is followed by another, so that there is always something due.
"""

import time
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

_round = 0
PLACE = {"project__key": "demo", "key": "development"}
STEPS = 50


def plan(*, ramps: int, schedules: int) -> None:
    """``ramps`` releases of flags; of webhooks one more where ``schedules`` is a port."""
    from portal.access.models import Environment

    global _round
    _round += 1
    place = Environment.objects.select_related("project").get(**PLACE)
    for number in range(ramps):
        _make_flag(place, f"due-{_round}-release-{number}")
    if schedules:
        _make_service(place, f"due-{_round}-service", schedules)
    keep_going()


def keep_going() -> None:
    """Begin again what has come to its end."""
    from flags.models import Flag
    from portal.access.models import Environment
    from releases.catalogue.models import Service
    from releases.core.models import MOVING

    place = Environment.objects.select_related("project").get(**PLACE)
    alive = _mine().filter(state__in=MOVING)
    flags = Flag.objects.filter(project=place.project, key__startswith=f"due-{_round}-release-")
    for flag in flags.exclude(pk__in=alive.exclude(flag=None).values("flag")):
        serves = flag.configurations.get(environment=place).targeting["fallthrough"]
        other = "off" if serves == {"variant": "on"} else "on"
        _start(place, {"flag": flag.key, "variant": other, "strategy": "feature_flag"})
    services = Service.objects.filter(project=place.project, key=f"due-{_round}-service")
    for service in services.exclude(pk__in=alive.exclude(service=None).values("service")):
        version = str(_mine().filter(service=service).count() + 1)
        artefact = {"version": version, "digest": "sha256:" + "a" * 64}
        _start(place, {"service": service.key, "artefact": artefact, "strategy": "canary"})


def _start(place: Any, document: dict[str, Any]) -> None:
    from releases.core import commands, planning

    steps = [{"share": n * 100 / STEPS, "soak_s": 1} for n in range(1, STEPS + 1)]
    document["plan"] = {"steps": steps, "watch_s": 0}
    by = _admin()
    made = planning.plan_release(
        project=place.project, environment=place, document=document, intent=by
    )
    commands.start(release=made, intent=by)


def _admin() -> Any:
    from portal.access import authority
    from portal.access.models import User
    from portal.lib.journal import Intent, Trace

    return Intent(authority.user_actor(User.objects.get(username="admin"), Trace()))


def _make_flag(place: Any, key: str) -> None:
    from flags.core import configurations, definitions

    by = _admin()
    variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
    document = {"key": key, "kind": "release", "value_type": "boolean", "variants": variants}
    flag = definitions.create_flag(project=place.project, document=document, intent=by)
    current = flag.configurations.get(environment=place)
    off = {"enabled": True, "fallthrough": {"variant": "off"}}
    configurations.save_configuration(
        flag=flag,
        environment=place,
        document=current.document | off,
        expected_version=current.version,
        intent=by,
    )


def _make_service(place: Any, key: str, port: int) -> None:
    from releases.catalogue import services

    by = _admin()
    service = services.put_service(project=place.project, key=key, name=key, owners=[], intent=by)
    router = {"kind": "webhook", "url": f"http://127.0.0.1:{port}/"}
    services.put_setup(service=service, environment=place, document={"router": router}, intent=by)


def waits_s() -> list[float]:
    """Of the release that waits longest: since it was due, or last in somebody's hand; and of the
    one that waits longest though nobody has it in hand."""
    from portal.lib import clock
    from portal.runs.runner import LEASE_S

    keep_going()
    now, lease = clock.database_now(), timedelta(seconds=LEASE_S)
    found = [[0.0, 0.0]]
    rows = _mine().exclude(due_at=None).values_list("due_at", "leased_until")
    for due, leased in rows:
        claimed = max(due, leased - lease) if leased else due
        free = max(due, leased) if leased else due
        found.append([(now - claimed).total_seconds(), (now - free).total_seconds()])
    return [max(column) for column in zip(*found, strict=True)]


def steps() -> dict[str, int]:
    """How many steps were begun, of each flag and service."""
    found = Counter[str]()
    for release in _mine().prefetch_related("executions"):
        found[release.about.key] += len(release.executions.all())
    return dict(found)


def went_on(*, since: dict[str, int]) -> bool:
    """Whether each has taken a step."""
    keep_going()
    return all(count > since.get(key, 0) for key, count in steps().items())


def is_in_hand() -> bool:
    """Whether a worker has a release."""
    return bool(_mine().exclude(leased_until=None).exists())


def end() -> dict[str, int]:
    """Stop what moves; of all releases, what was done more than once, or not, and how much was."""
    from portal.audit.models import AuditEvent

    moving = _mine().exclude(due_at=None)
    moving.update(due_at=None, state="aborted")
    time.sleep(1)  # what is under way ends
    rows = AuditEvent.objects.filter(actor_kind="system", environment=PLACE["key"])
    moved = Counter(rows.filter(subject_kind="flag").values_list("actor", flat=True))
    reached = Counter(rows.filter(event="release.step_reached").values_list("actor", flat=True))
    found = Counter({"doubled": 0, "skipped": 0, "not as planned": 0, "steps": 0})
    for release in _mine().prefetch_related("executions"):
        one = list(release.executions.all())
        name = f"release {release.pk} of admin"
        there = sum(step.reached_at is not None for step in one)
        found["steps"] += there
        found["doubled"] += max(reached[name] - there, 0) + sum(step.attempt > 1 for step in one)
        found["skipped"] += max(there - reached[name], 0)
        found["skipped"] += sum(b.step - a.step != 1 for a, b in pairwise(one))
        if release.flag_id:
            found["doubled"] += max(moved[name] - there, 0)
            found["not as planned"] += max(there - moved[name], 0)
    return dict(found)


def _mine() -> Any:
    from django.db.models import Q

    from releases.core.models import Release

    key = f"due-{_round}-"
    found = Release.objects.filter(Q(flag__key__startswith=key) | Q(service__key__startswith=key))
    return found.select_related("flag", "service", "environment", "project", "artefact")
