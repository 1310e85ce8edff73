from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from prometheus_client.core import Metric, SummaryMetricFamily

from flags.core.selectors import Moved, Mover
from flags.engine import DocumentError, parse_configuration, variants_of
from flags.models import Flag
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.approvals.models import ChangeRequest, State as Asked
from releases.catalogue.models import Artefact, Service
from releases.core.models import MOVING, OVER, Release, State


def releases_seen(project: Project) -> QuerySet[Release]:
    return Release.objects.filter(project=project).select_related(
        "project", "environment", "service", "flag", "artefact", "stable", "group"
    )


def moving_in(environment: Environment) -> QuerySet[Release]:
    found = releases_seen(environment.project).filter(environment=environment)
    return found.filter(state__in=MOVING)


def active_of(about: Service | Flag, environment: Environment) -> Release | None:
    kind = "service" if isinstance(about, Service) else "flag"
    return moving_in(environment).filter(**{kind: about}).first()


def flags_moved(project: Project) -> Moved:
    moving = {"state__in": MOVING, "router__kind": "flag"}
    # Mostly there are none, and all that their rows show takes ten times as long to ask for.
    if not Release.objects.filter(project=project, **moving).exists():
        return {}
    text = _("Release {number}, {title}, moves this flag now.")
    rows = releases_seen(project).filter(**moving)
    return {
        (one.environment_id, one.router["flag"]): Mover(
            text.format(number=one.pk, title=one.title),
            reverse("release", args=[project.key, one.pk]),
        )
        for one in rows
    }


def kept_for_returns(flag: Flag) -> Iterator[tuple[set[str], str]]:
    """The variants by which releases that move, are watched or start by themselves route, or would
    go back to; and which release that is."""
    found = Release.objects.filter(project=flag.project, router__flag=flag.key)
    found = found.exclude(due_at=None)
    for release in found.select_related("service", "flag", "artefact"):
        keys = {release.router.get(name) for name in ("new", "stable", "baseline")} - {None}
        text = _("Release {number}, {title},").format(number=release.pk, title=release.title)
        yield keys | _brought_back(release, flag), text


def _brought_back(release: Release, flag: Flag) -> set[str]:
    if release.before is None:  # it has not begun
        return set()
    try:
        back = variants_of(parse_configuration(release.before, flag.definition))
    except DocumentError:
        back = None
    return {one["key"] for one in flag.variants} if back is None else set(back)


def places_with_cohorts(project: Project, segments: Collection[str]) -> set[int]:
    """The ids of the environments where a release that moves, or will start by itself, has one of
    these segments as a cohort."""
    rows = Release.objects.filter(project=project, state__in=(State.PLANNED, *MOVING))
    plans = rows.exclude(due_at=None).values_list("environment", "plan")
    return {place for place, plan in plans if not set(segments).isdisjoint(plan["cohorts"])}


def flags_to_come(project: Project) -> set[tuple[str, int]]:
    """The flags by which releases route that others are asked about, or that will start by
    themselves; with the ids of their environments."""
    asked = ChangeRequest.objects.filter(project=project, state=Asked.OPEN, subject_kind="release")
    numbers = [int(one) for one in asked.values_list("subject", flat=True)]
    planned = Release.objects.filter(project=project, state=State.PLANNED, router__kind="flag")
    rows = planned.filter(Q(pk__in=numbers) | ~Q(due_at=None))
    return {(router["flag"], place) for router, place in rows.values_list("router", "environment")}


def stable_of(service: Service, environment: Environment) -> Artefact | None:
    """The artefact that last succeeded there, which a later rollback has not taken back."""
    found = Release.objects.filter(service=service, environment=environment, state=State.SUCCEEDED)
    last = found.select_related("artefact").order_by("-ended_at", "-pk").first()
    return last.artefact if last else None


def taken_back_by_hand(release: Release) -> Release | None:
    """The last release there of the same, where people have taken it back or aborted it since it
    began: of a version by its digest, whatever it was called; of a flag by its variant."""
    found = Release.objects.filter(
        environment=release.environment, service=release.service, flag=release.flag
    )
    if release.artefact:
        found = found.filter(artefact__digest=release.artefact.digest)
    else:
        found = found.filter(router__new=release.router["new"])
    last = found.exclude(started_at=None).order_by("-started_at", "-pk").first()
    if last is None:
        return None
    gone = (State.ROLLING_BACK, State.ROLLED_BACK, State.ABORTED)
    by_hand = last.state in gone and last.because.get("person")
    return last if by_hand or last.undone.exclude(started_at=None).exists() else None


def needed(release: Release) -> tuple[Permission, ...]:
    """What it takes to want it: of a flag's own, what changing the flag takes."""
    if release.service_id:
        return (Permission.RELEASE_DEPLOY,)
    turns_on = bool(release.router.get("turns_on"))
    return (Permission.FLAG_EDIT, *((Permission.FLAG_TOGGLE,) if turns_on else ()))


# A version's series are of no use once it is history, and would become more with every release.
KEPT: Final = timedelta(days=30)
LABELS: Final = ("project", "service", "version", "environment")
_COLUMNS: Final = ("project__key", "service__key", "artefact__version", "environment__key")
Names = tuple[str, ...]


def families(releases: QuerySet[Release], *, named: bool, now: datetime) -> Iterator[Metric]:
    """How many of some releases of services began lately, and how they ended; by name, or sums."""
    begun = releases.filter(started_at__gte=now - KEPT).exclude(service=None)
    rows = begun.values_list(*_COLUMNS, "state", "because", "started_at", "ended_at")
    started, completed = Counter[Names](), Counter[Names]()
    lasted: dict[Names, list[float]] = {}
    for *found, state, because, start, end in rows:
        names = tuple(found) if named else ()
        started[names] += 1
        if state in OVER and end is not None:
            completed[*names, *_ending(state, because)] += 1
            lasted.setdefault(names, []).append((end - start).total_seconds())
    labels = LABELS if named else ()
    yield _counted("deployment_started", "Releases of services that began.", labels, started)
    ended = (*labels, "status", "error_type")
    yield _counted("deployment_completed", "Those of them that are over.", ended, completed)
    duration = SummaryMetricFamily(
        "deployment_duration", "From start to end, in seconds.", labels=labels
    )
    for names, seconds in lasted.items():
        duration.add_metric(names, count_value=len(seconds), sum_value=sum(seconds))
    yield duration


def _ending(state: str, because: dict[str, object]) -> tuple[str, str]:
    """Its status and, of a failure, what it was: the check that took it back, or its outcome."""
    if state == State.SUCCEEDED:
        return "success", ""
    if state == State.SUPERSEDED:
        return "superseded", ""
    return "failure", str(because.get("check") or state)


def _counted(name: str, text: str, labels: Names, counts: Counter[Names]) -> Metric:
    """A family under just this name: a counter's would be given another ending."""
    family = Metric(name, text, "unknown")
    for values, count in counts.items():
        family.add_sample(name, dict(zip(labels, values, strict=True)), count)
    return family
