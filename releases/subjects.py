import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy

from flags.core import changes as flag_changes
from flags.models import Flag
from portal.access.models import Project
from portal.approvals.changes import Change, same_document
from portal.approvals.handlers import Document, DueStep, Handler, Side, Target, Wanted
from portal.lib.errors import AviaryError
from portal.lib.journal import Step
from portal.lib.subjects import Menu, Recorded, Subject
from releases.core import changes, commands, transitions
from releases.core.models import GOING_UP, OVER, Release, State
from releases.core.selectors import needed
from releases.engine.plans import InFreeze
from releases.engine.routing import moment_of, without_pins
from releases.routers import Wanted as WantedOfRouter, flag as flag_router

EVENTS = {
    "release.planned": gettext_lazy("planned release"),
    "release.scheduled": gettext_lazy("set the start of release"),
    "release.ready": gettext_lazy("agreed to the start, with its group, of release"),
    "release.started": gettext_lazy("started release"),
    "release.step_reached": gettext_lazy("reached a step of release"),
    "release.held": gettext_lazy("held release"),
    "release.step_failed": gettext_lazy("could not take a step of release"),
    "release.not_terminated": gettext_lazy("could not end what a router did for release"),
    "release.confirmed": gettext_lazy("confirmed the traffic of release"),
    "release.paused": gettext_lazy("paused release"),
    "release.resumed": gettext_lazy("resumed release"),
    "release.promoted": gettext_lazy("promoted release"),
    "release.dismissed": gettext_lazy("dismissed a failure of release"),
    "release.retried": gettext_lazy("retried a step of release"),
    "release.jumped_back": gettext_lazy("went back to an earlier step of release"),
    "release.cohort_returned": gettext_lazy("took back one cohort of release"),
    "release.proving": gettext_lazy("began to test the rollback of release"),
    "release.proven": gettext_lazy("tested the rollback of release"),
    "release.rollback_started": gettext_lazy("began to roll back release"),
    "release.rolled_back": gettext_lazy("rolled back release"),
    "release.aborted": gettext_lazy("aborted release"),
    "release.superseded": gettext_lazy("superseded release"),
    "release.succeeded": gettext_lazy("completed release"),
    "release.failed": gettext_lazy("failed with release"),
    "release.noted": gettext_lazy("wrote a note on release"),
}


def _describe(events: Sequence[Recorded]) -> list[list[str]]:
    return [_sentences(event.after_document or {}) for event in events]


def _sentences(after: Document) -> list[str]:
    text = _("{title}, at step {step}: {state}.")
    names = {name: str(after.get(name, "")) for name in ("title", "step")}
    state = str(after.get("state", ""))
    label = State(state).label if state in State.values else state
    words = after.get("words")
    more = [str(one) for one in words] if isinstance(words, list) else []
    return [text.format(**names, state=label), *more]


def _address(event: Recorded) -> str:
    if not (event.project and event.subject.isdigit()):
        return ""
    return reverse("release", args=[event.project, int(event.subject)])


def _find(target: Target) -> Release:
    number = target.subject if target.subject.isdigit() else "0"
    rows = Release.objects.select_related("project", "environment", "service", "flag", "artefact")
    return rows.get(pk=number, project=target.project)


def _page(target: Target) -> str:
    return reverse("release", args=[target.project.key, int(target.subject)])


def _stopped(project: Project, names: Collection[str]) -> dict[str, str]:
    numbers = [name for name in names if name.isdigit()]
    over = Release.objects.filter(project=project, pk__in=numbers, state__in=OVER)
    text = _("The release is over, so this request cannot be applied. Withdraw it.")
    return {str(pk): text for pk in over.values_list("pk", flat=True)}


def _start_now(release: Release, _wanted: Document) -> Side:
    return Side("1" if release.state == State.PLANNED else "", {})


def _start(release: Release, wanted: Wanted) -> None:
    number = wanted.document.get("supersedes")
    supersede = number if isinstance(number, int) else False
    commands.start(release=release, intent=wanted.intent, supersede=supersede)


def _due_step(step: Step, change: Change, at: datetime) -> DueStep | None:
    """The start of a release at its time, or a step that moves the flag by which it routes, exactly
    as it wants it."""
    found = Release.objects.select_related(
        "project", "environment", "service", "flag", "artefact", "author_user"
    )
    release = found.filter(pk=step.plan).first()
    if release is not None and change.kind == transitions.START:
        return _due_start(release, change)
    if release is None or not _is_about(release, change) or release.step != step.number:
        return None
    may = release.is_moving or (release.state == State.SUCCEEDED and _ends_pins(change))
    if not may or not _says_so(release, change, at):
        return None
    finishes = release.parsed_plan.in_freeze is InFreeze.FINISH or release.overrides_freeze
    return DueStep(
        release.author_actor,
        *_agreed_to(release),
        permissions=needed(release),
        goes_back=_lowers(release, change),
        passes_freezes=finishes,
    )


def _agreed_to(release: Release) -> tuple[Change, int | None]:
    """What allows its present step: its start, or the promotion that others agreed to."""
    start, promotion = changes.start_change(release), release.wanted.get("promotion")
    if promotion is None:
        return start, release.agreement_id
    asked = release.project.change_requests.get(pk=promotion)
    said = {name: getattr(asked, name) for name in ("kind", "base_version", "before", "after")}
    return replace(start, **said), promotion


def _due_start(release: Release, change: Change) -> DueStep | None:
    mine = changes.start_change(release)
    goes_on = release.state in GOING_UP
    is_due = release.due_at is not None and (release.state == State.PLANNED or goes_on)
    if not is_due or mine.digest != change.digest:
        return None
    finishes = release.parsed_plan.in_freeze is InFreeze.FINISH
    return DueStep(
        release.author_actor,
        mine,
        release.agreement_id,
        permissions=needed(release),
        passes_freezes=release.overrides_freeze or (goes_on and finishes),
    )


def _is_about(release: Release, change: Change) -> bool:
    places = [environment.pk for environment in change.environments]
    about = (change.kind, change.project.pk, change.subject, places)
    mine = (flag_changes.CONFIGURATION, release.project_id, release.router.get("flag"))
    return about == (*mine, [release.environment_id])


def _ends_pins(change: Change) -> bool:
    """Whether it does nothing but to take away rules that pin visits."""
    before, after = ({**one, "rules": without_pins(one)} for one in (change.before, change.after))
    return same_document(before, after)


def _says_so(release: Release, change: Change, at: datetime) -> bool:
    flag: Flag = transitions.flag_of(release)
    route, wanted = flag_router.route_of(release.router), WantedOfRouter.of(release.wanted)
    # The gate judges a moment after the release has said what it wants: what that made of the time
    # stands in the change.
    second = min(moment_of(change.before, change.after, route), math.ceil(at.timestamp()))
    moment = datetime.fromtimestamp(second, UTC)
    try:
        made = flag_router.outcome(flag, change.before, route, wanted, release.before or {}, moment)
    except AviaryError:
        return False
    return same_document(made, change.after)


def _lowers(release: Release, change: Change) -> bool:
    """Whether fewer get the new version by it than by now, or all get what they had before."""
    wanted = WantedOfRouter.of(release.wanted)
    if wanted.back and not wanted.share:
        return True
    now = flag_router.told(change.before, flag_router.route_of(release.router))
    if now.share is None or not set(wanted.cohorts) <= set(now.cohorts):
        return False
    return wanted.share < now.share or (wanted.share == now.share and wanted.cohorts != now.cohorts)


def _promotion_now(release: Release, _wanted: Document) -> Side:
    version = f"{release.step}.{release.attempt}" if release.is_moving else ""
    return Side(version, {"step": release.step})


def _promote(release: Release, wanted: Wanted) -> None:
    if check := wanted.document.get("dismissed"):
        commands.dismiss(release=release, intent=wanted.intent, check=check)
        return
    last = len(release.parsed_plan.all_steps) - 1
    fully = wanted.document["step"] == last and release.step + 1 < last
    tell = commands.promote_fully if fully else commands.promote
    if release.group_id:
        tell = commands.pass_gate
    tell(release=release, intent=wanted.intent)


RELEASE = Subject(
    kind="release",
    label=gettext_lazy("release"),
    events=EVENTS,
    describe=_describe,
    address=_address,
    menu=Menu(
        20,
        gettext_lazy("Releases"),
        "rocket",
        "release-board",
        "/release",
    ),
    changes={
        transitions.START: Handler(
            find=_find,
            current=_start_now,
            apply=_start,
            page=_page,
            due_step=_due_step,
            stopped=_stopped,
        ),
        changes.PROMOTION: Handler(
            find=_find, current=_promotion_now, apply=_promote, page=_page, stopped=_stopped
        ),
    },
)
