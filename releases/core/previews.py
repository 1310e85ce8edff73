"""A release before anything of it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from flags.delivery.users import Users, users_of
from portal.access.models import Environment, Project
from releases.catalogue.models import Artefact, Service
from releases.core import selectors, wording
from releases.core.drafts import Draft, read_draft
from releases.core.models import Release
from releases.engine.checks import Check
from releases.engine.plans import WHOLE
from releases.policies.wording import cohort_sentences


@dataclass(frozen=True, slots=True)
class PreviewStep:
    """A step as it would go: its share, about how many users that reaches (None where that is
    unknown), and from when to when in seconds after the start, without holds and gates."""

    name: str
    share: int
    starts_s: int
    ends_s: int
    gate: bool
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
    users: Users | None = None
    cohorts: tuple[str, ...] = ()


def preview(*, project: Project, environment: Environment, document: object) -> Preview:
    """What would come of a document; nothing is stored. Raises Invalid as plan_release."""
    draft = read_draft(project, environment, document)
    users = users_routed(project, environment, draft.router)
    at, steps = 0, []
    for step in draft.plan.all_steps:
        name = wording.percent(step.share) if step.share else _("canary cohorts")
        reached = reached_by(users, step.share)
        steps.append(PreviewStep(name, step.share, at, at + step.soak_s, step.gate, reached))
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
) -> Users | None:
    """The users of the flag by which a release routes; None where that is unknown."""
    flag = project.flags.filter(key=router.get("flag")).first()
    return users_of(flag, environment) if flag else None


def reached_by(users: Users | None, share: int) -> int | None:
    """About how many of them a share reaches; who is in a cohort is unknown."""
    return max(1, round(users.count * share / WHOLE)) if users and share else None
