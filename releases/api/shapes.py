from collections.abc import Iterator
from functools import partial
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.approvals.errors import Waiting
from portal.approvals.models import State as RequestState
from portal.lib.api.shapes import (
    MOMENT,
    NUMBER,
    OBJECT,
    SWITCH,
    TEXT,
    TEXTS,
    WHOLE,
    PageShape,
    Shape,
)
from portal.lib.api.views import CHANGE_REQUEST
from releases.api.services import ARTEFACT
from releases.core import check_words, descriptions, exposures
from releases.core.models import Release, State
from releases.engine.checks import Check, Role
from releases.engine.comparisons import effective
from releases.engine.decisions import Cause
from releases.engine.plans import Strategy
from releases.engine.steps import WHOLE as ALL
from releases.engine.verdicts import Verdict
from releases.routers import flag as flag_router

PERCENT = NUMBER(of=lambda row: row.share / 1000)


def _now_of(release: Release) -> dict[str, float]:
    share = release.told.get("share")
    if share is None:
        return {}
    stable = release.stable.version if release.stable else release.router.get("stable", "stable")
    weights = {release.version: share / 1000}
    if release.service_id and not release.stable:
        stable = "stable"
    weights[stable] = weights.get(stable, 0) + (ALL - share) / 1000
    return weights


CHECK = Shape(
    "ReleaseCheck",
    {
        "key": TEXT(),
        "kind": TEXT(),
        "role": TEXT(enum=[one.value for one in Role]),
        "from": TEXT("From the plan, plan_instead, the service, rollback_config, or policy:KEY."),
        "limit": TEXT("What a good version does not exceed, in words."),
        "verdict": TEXT(enum=[one.value for one in Verdict], nullable=True),
        "value": NUMBER(nullable=True),
        "least": NUMBER("Where only an interval is known, its lower end.", nullable=True),
        "requests": WHOLE(),
        "errors": WHOLE(),
        "wanting": WHOLE("How many requests more it takes."),
        "dismissed": SWITCH("Whether somebody has set its failure aside."),
        "detail": TEXT("Why there is no number, or what it is of; or empty."),
        "at": MOMENT("When it was measured last.", nullable=True),
        "words": TEXT(),
        "expected_at": MOMENT("When those are there, at the present rate.", nullable=True),
        "numbers": OBJECT(
            "Of a comparison: evidence and how much is needed, the estimate of the difference and "
            "its lower bound, in shares, and the baseline's requests and errors."
        ),
    },
)


def _checks_of(release: Release) -> Iterator[dict[str, Any]]:
    for check in release.parsed_plan.checks:
        yield _check(release, check, release.checks.get(check.key, {}))


def _check(release: Release, check: Check, said: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": check.key,
        "kind": check.kind.value,
        "role": effective(check, release.router).role.value,
        "from": release.origins.get(check.key, "plan"),
        "limit": check_words.limit_words(check),
        "verdict": said.get("verdict"),
        "value": said.get("value"),
        "least": check_words.least_of(said),
        "requests": said.get("requests", 0),
        "errors": said.get("errors", 0),
        "wanting": said.get("wanting", 0),
        "dismissed": said.get("dismissed", False),
        "detail": said.get("detail", ""),
        "at": said.get("at"),
        "words": check_words.verdict_words(check, said),
        "expected_at": said.get("expected_at"),
        "numbers": said.get("numbers", {}),
    }


HOLD = Shape(
    "ReleaseHold",
    {
        "cause": TEXT(enum=[one.value for one in Cause]),
        "about": TEXT("The check, freeze or value it comes from."),
        "wanting": WHOLE("How many requests more it takes."),
        "since": MOMENT(),
        "words": TEXT("Why it does not go on, and what would end that."),
    },
)


def holds_of(release: Release) -> list[dict[str, Any]]:
    return [
        {
            "cause": hold["cause"],
            "about": str(hold.get("about") or ""),
            "wanting": int(hold.get("wanting") or 0),
            "since": hold["since"],
            "words": descriptions.hold_words(release, hold),
        }
        for hold in map(partial(_without_others, release), release.holds)
    ]


def _without_others(release: Release, hold: dict[str, Any]) -> dict[str, Any]:
    """A hold without what a key of one environment must not learn of releases in others."""
    if hold["cause"] != Cause.GROUP or release.group is None:
        return hold
    if not release.group.members.exclude(environment=release.environment_id).exists():
        return hold
    return {**hold, "about": _("It waits for the others of its group.")}


def _warnings_of(release: Release) -> list[str]:
    return [descriptions.hold_words(release, one) for one in release.warnings]


def requests_of(release: Release) -> list[object]:
    about = {"subject_kind": "release", "subject": str(release.pk)}
    found = release.project.change_requests.filter(**about, state=RequestState.OPEN)
    return [Waiting(one).extras["change_request"] for one in found.order_by("pk")]


EXECUTION = Shape(
    "StepExecution",
    {
        "step": WHOLE(),
        "attempt": WHOLE(),
        "share": PERCENT,
        "started_at": MOMENT(),
        "reached_at": MOMENT("When the router had its traffic there.", nullable=True),
        "ended_at": MOMENT(nullable=True),
        "outcome": TEXT("Or empty."),
    },
)


def _links_of(release: Release) -> dict[str, str]:
    at = [release.project.key, release.pk]
    return {
        "page": f"{settings.PORTAL_URL}{reverse('release', args=at)}",
        "events": reverse("api-release-events", args=at),
        "wait": reverse("api-release-wait", args=at),
        **_tester_of(release),
    }


def _tester_of(release: Release) -> dict[str, str]:
    link = flag_router.tester_link(release.router) if release.is_moving else ""
    return {"tester": link} if link else {}


LISTED = Shape(
    "ListedRelease",
    {
        "number": WHOLE(of="pk"),
        "service": TEXT(
            "Its key; null for the release of a flag.", of="service.key", nullable=True
        ),
        "flag": TEXT("Its key; null for the release of a service.", of="flag.key", nullable=True),
        "environment": TEXT(of="environment.key"),
        "version": TEXT("Of a flag, the variant."),
        "strategy": TEXT(of=lambda one: one.plan["strategy"], enum=[one.value for one in Strategy]),
        "state": TEXT(enum=State.values),
        "step": WHOLE("From 0, that of the cohorts included."),
        "weights": OBJECT(
            "How many percent each version gets, as the router said last; empty before it did.",
            of=_now_of,
            additionalProperties={"type": "number"},
        ),
        "outcome": TEXT("How it ended, or empty."),
        "reason": TEXT(),
        "author": TEXT(),
        "created_at": MOMENT(),
        "not_before": MOMENT(nullable=True),
        "started_at": MOMENT(nullable=True),
        "ended_at": MOMENT(nullable=True),
        "group": WHOLE("The number of its group.", of="group_id", nullable=True),
        "links": OBJECT(of=_links_of, additionalProperties={"type": "string"}),
    },
)
RELEASES = PageShape("ReleasePage", "releases", LISTED.many())
RELEASE = LISTED.but(
    "Release",
    "A release: where it is, what its router and checks say, and what holds it.",
    artefact=ARTEFACT.one(nullable=True),
    stable=ARTEFACT.one("What succeeded last before it.", nullable=True),
    plan=OBJECT("As it was agreed to."),
    template=TEXT("The plan template that its plan was; or empty."),
    router=OBJECT(),
    steps=WHOLE("How many there are.", of=lambda one: len(one.parsed_plan.all_steps)),
    executions=EXECUTION.many(of=lambda one: one.executions.all()),
    checks=CHECK.many(of=lambda one: list(_checks_of(one))),
    holds=HOLD.many(of=holds_of),
    users=OBJECT(
        "Where a flag routes: users seen for the first time, how many of them got the new version "
        "and are expected there by its share, and how many saw the baseline too.",
        of=lambda one: exposures.numbers(one) or {},
        additionalProperties={"type": "integer"},
    ),
    warnings=TEXTS("What is wrong and does not keep it from going on.", of=_warnings_of),
    outcome_words=TEXT("How it ended, or why it goes back.", of=descriptions.outcome_words),
    can_go_back=TEXT("What trying the way back has shown, or empty.", of=descriptions.proof_words),
    because=OBJECT("What ended it: the check or person, with the numbers."),
    watch_until=MOMENT("Until then it can still go back by itself.", nullable=True),
    change_request=WHOLE("By which its start was agreed to.", of="agreement_id", nullable=True),
    waits_for=CHANGE_REQUEST.many("What people have not agreed to yet.", of=requests_of),
    approved_by=TEXTS(),
)
NOTE = Shape(
    "ReleaseNote", {"id": WHOLE(of="pk"), "author": TEXT(), "text": TEXT(), "at": MOMENT()}
)
NOTES = PageShape("ReleaseNotePage", "notes", NOTE.many())
