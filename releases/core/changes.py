"""What others agree to of a release: that it starts, and that it goes on before its time."""

from collections.abc import Iterator

from django.utils.translation import gettext as _, ngettext

from portal.approvals.changes import Change
from portal.lib.journal import Intent
from releases.core import check_words, descriptions, quantities, selectors, transitions
from releases.core.command_rules import at_gate, promoting
from releases.core.lockstep import members_of
from releases.core.models import Release
from releases.core.transitions import artefact_of
from releases.engine.checks import Check, Role
from releases.policies import demands

PROMOTION = "release.promotion"


def start_change(release: Release, intent: Intent | None = None) -> Change:
    later = intent is not None and release.not_before and release.not_before > intent.at
    return Change(
        kind=transitions.START,
        project=release.project,
        environments=(release.environment,),
        place=release.environment,
        subject_kind="release",
        subject=str(release.pk),
        title=_("Release {title} in {place}").format(
            title=release.title, place=release.environment.name
        ),
        base_version="1",
        before={},
        after={
            "about": release.recorded_as.part_of_kind,
            "key": release.about.key,
            "artefact": artefact_of(release),
            "plan": release.plan,
            "router": release.router,
            "not_before": release.not_before.isoformat() if release.not_before else None,
            "supersedes": release.supersedes_id,
        },
        permissions=selectors.needed(release),
        words=tuple(_start_sentences(release)),
        serves=not later,
        artefact=release.artefact.digest if release.artefact else "",
    )


def _start_sentences(release: Release) -> Iterator[str]:
    plan = release.parsed_plan
    yield from descriptions.strategy_sentences(plan)
    yield from descriptions.pin_sentences(release.router)
    shares = ", ".join(map(quantities.percent, plan.shares))
    text = ngettext(
        "It goes to {shares} of the users, each step watched by {n} check.",
        "It goes to {shares} of the users, each step watched by {n} checks.",
        len(plan.checks),
    )
    if not plan.checks:
        text = _("It goes to {shares} of the users. No checks watch it.")
    yield text.format(shares=shares, n=len(plan.checks))
    for check in plan.checks:
        yield _check_sentence(release, check)
    if other := release.supersedes:
        text = _("Release {number}, {title}, ends for it.")
        yield text.format(number=other.pk, title=other.title)
    if release.group:
        text = _("It moves in step with its group “{name}”, and goes back with it: {titles}.")
        titles = ", ".join(one.title for one in members_of(release.group))
        yield text.format(name=release.group.name, titles=titles)
    if release.artefact:
        yield _("Its digest is {digest}.").format(digest=release.artefact.digest)


def _check_sentence(release: Release, check: Check) -> str:
    texts = {
        Role.GUARDRAIL: _("Rolled back unless {key}: {limit}."),
        Role.SIGNAL: _("Held unless {key}: {limit}."),
        Role.DRY_RUN: _("Only shown: {key}: {limit}."),
    }
    said = texts[check.role].format(key=check.key, limit=check_words.limit_words(check))
    origin = release.origins.get(check.key, "")
    if policy := demands.policy_in(origin):
        return said + " " + _("The release policy {key} attached this.").format(key=policy)
    if origin != demands.INSTEAD:
        return said
    return said + " " + _("This replaces the service's own check with that key.")


def promotion_change(release: Release, number: int, *, dismissed: str = "") -> Change:
    """Letting a release go on before its time, or beyond a gate, or in spite of a check that fails,
    as others agree to it."""
    names = {
        "title": release.title,
        "step": descriptions.step_name(release, number),
        "place": release.environment.name,
        "check": dismissed,
    }
    title = _("Promote {title} in {place} to {step}")
    words = _("It leaves its step now, whatever its plan says.")
    if dismissed:
        title = _("Dismiss a failure of {check} for {title} in {place}")
        words = _("The present failure of the check “{check}” does not count; the next one does.")
    elif at_gate(release):
        words = _("It passes the gate of its plan.")
    return Change(
        kind=PROMOTION,
        project=release.project,
        environments=(release.environment,),
        place=release.environment,
        subject_kind="release",
        subject=str(release.pk),
        title=title.format(**names),
        base_version=f"{release.step}.{release.attempt}",
        before={"step": release.step},
        after={"step": number, "artefact": artefact_of(release), "dismissed": dismissed},
        permissions=promoting(release, number),
        words=(words.format(**names),),
        artefact=release.artefact.digest if release.artefact else "",
    )
