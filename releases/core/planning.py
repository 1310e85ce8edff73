"""Planning a release: what is asked for becomes a row that says exactly what will happen.

Planning moves nothing, so nobody has to agree to it; starting is what passes the gate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from flags.delivery.users import UserCount, users_of
from flags.models import Flag
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.approvals import gate
from portal.approvals.authors import answer_for
from portal.lib.errors import Conflict, checked_text
from portal.lib.journal import ActorKind, Intent
from releases.catalogue import services as catalogue
from releases.catalogue.models import Artefact, Service
from releases.core import descriptions, selectors, transitions
from releases.core.drafts import Draft, read_draft
from releases.core.models import Release
from releases.engine.checks import Check
from releases.engine.steps import WHOLE, Step
from releases.policies.descriptions import cohort_sentences
from releases.routers import flag as flag_router


@transaction.atomic
def plan_release(
    *,
    project: Project,
    environment: Environment,
    document: object,
    intent: Intent,
    undoes: Release | None = None,
) -> Release:
    """Make a release that nobody has started.

    ``document`` has ``service`` and ``artefact``, or ``flag`` and ``variant``; ``strategy``; and
    ``plan`` (releases.engine.plans), or the key of a ``template`` with what ``plan`` says instead,
    or the usual plan without both. Checks of release policies are attached to it.
    Raises Forbidden without ``release.create`` (of a flag: ``flag.edit``), Invalid with each field
    that is wrong, Conflict where the version is known with another digest, or where a script asks
    for one that people have taken back there.
    """
    goes_back = Release(undoes=undoes).goes_back
    draft = read_draft(project, environment, document, goes_back=goes_back)
    of_flag = isinstance(draft.about, Flag)
    permission = Permission.FLAG_EDIT if of_flag else Permission.RELEASE_CREATE
    gate.require(intent, permission, project=project, environment=environment)
    release = _as_row(draft, project, environment, intent)
    release.undoes = undoes
    if release.goes_back:
        release.router.pop("pin_s", None)  # nobody is to be kept on what is undone
    refuse_to_scripts(release, intent.actor.kind)
    if release.service:
        release.stable = selectors.stable_of(release.service, environment)
    answer_for(release, intent.actor, None)
    release.save()
    if release.router["kind"] == "flag" or draft.plan.has_tagged:
        release.router["tester"] = flag_router.tester_token(release.pk)
        release.save(update_fields=["router"])
    transitions.record("planned", release, intent, more={"plan": release.plan})
    return release


def _as_row(draft: Draft, project: Project, environment: Environment, intent: Intent) -> Release:
    return Release(
        project=project,
        environment=environment,
        flag=draft.about if isinstance(draft.about, Flag) else None,
        service=draft.about if isinstance(draft.about, Service) else None,
        artefact=_artefact(draft, intent),
        plan=draft.plan.document,
        router=draft.router,
        deployer=draft.deployer,
        origins=draft.origins,
        template=draft.template,
        channels=list(draft.channels),
        not_before=draft.not_before,
        reason=checked_text(intent.reason, "reason"),
        created_at=intent.at,
        changed_at=intent.at,
        changed_by=intent.actor.label,
    )


def refuse_to_scripts(release: Release, kind: str) -> None:
    """Raise Conflict where it is a key that wants again what people have taken back there: asked
    when it is planned, and when it starts, for they may have done so in between."""
    last = selectors.taken_back_by_hand(release) if kind == ActorKind.KEY else None
    if last is None:
        return
    text = _("People rolled back {title} in {place} (release {number}). Scripts cannot release it.")
    said = text.format(title=last.title, place=release.environment.name, number=last.pk)
    raise Conflict(said, current={"release": last.pk}, yours={})


def _artefact(draft: Draft, intent: Intent) -> Artefact | None:
    if not isinstance(draft.about, Service):
        return None
    return catalogue.artefact_of(service=draft.about, document=draft.artefact, intent=intent)


@dataclass(frozen=True, slots=True)
class PreviewStep:
    """A step as it would go: about how many users it reaches (None where that is unknown), and from
    when to when in seconds after the start, without holds and gates."""

    name: str
    step: Step
    starts_s: int
    ends_s: int
    users: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """A release before anything of it is stored. ``remarks`` are sentences about what would not
    work as asked; ``checks`` come with where each is from, and ``cohorts`` say who is in each."""

    draft: Draft
    steps: tuple[PreviewStep, ...]
    checks: tuple[tuple[Check, str], ...]
    remarks: tuple[str, ...]
    stable: Artefact | None = None
    active: Release | None = None
    users: UserCount | None = None
    cohorts: tuple[str, ...] = ()


def preview(*, project: Project, environment: Environment, document: object) -> Preview:
    """What would come of a document; nothing is stored. Raises Invalid as plan_release."""
    draft = read_draft(project, environment, document)
    users = users_routed(project, environment, draft.router)
    at, steps = 0, []
    for step in draft.plan.all_steps:
        reached = reached_by(users, step.share)
        name = descriptions.step_words(step)
        steps.append(PreviewStep(name, step, at, at + step.soak_s, reached))
        at += step.soak_s
    about = draft.about
    return Preview(
        draft,
        tuple(steps),
        tuple((one, draft.origins[one.key]) for one in draft.plan.checks),
        tuple(draft.remarks),
        selectors.stable_of(about, environment) if isinstance(about, Service) else None,
        selectors.active_of(about, environment),
        users,
        tuple(cohort_sentences(project, draft.plan.cohorts)),
    )


def users_routed(
    project: Project, environment: Environment, router: Mapping[str, Any]
) -> UserCount | None:
    flag = project.flags.filter(key=router.get("flag")).first()
    return users_of(flag, environment) if flag else None


def reached_by(users: UserCount | None, share: int) -> int | None:
    """About how many of them a share reaches; who is in a cohort is unknown."""
    return max(1, round(users.count * share / WHOLE)) if users and share else None
