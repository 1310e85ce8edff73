"""Reading policies and change requests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, QuerySet

from portal.access import authority
from portal.access.holdings import Holdings
from portal.access.models import Environment, Project, User
from portal.access.permissions import Permission
from portal.approvals.models import (
    ChangeRequest,
    Editor,
    Evidence,
    Policy,
    Result,
    State,
    Verdict,
    Vote,
)
from portal.approvals.standing import Ballot, EvidenceState, Requirement, Standing, assess

ALL_CHANGES = "all"
ARTEFACTS = "artefacts"


@dataclass(frozen=True, slots=True)
class Assessment:
    """How far a request has come in one environment, under the policy that holds there now."""

    environment: Environment
    policy: Policy
    standing: Standing


def policies_of(environments: Iterable[Environment]) -> dict[int, Policy]:
    """The policies of some environments, by the environments' ids."""
    found = Policy.objects.filter(environment__in=list(environments))
    return {policy.environment_id: policy for policy in found}


def policies_wanting(environments: Iterable[Environment], *, turns_off: bool) -> list[Policy]:
    """The policies that want others to agree to a change."""
    places = list(environments)
    return _wanting(policies_of(places), places, turns_off=turns_off)


def assess_request(request: ChangeRequest, *, now: datetime) -> list[Assessment]:
    """What each policy that has a say thinks of a request now, by roles held now."""
    return assess_requests([request], now=now)[request.pk]


def assess_requests(
    requests: Sequence[ChangeRequest], *, now: datetime
) -> dict[int, list[Assessment]]:
    """The same of several requests of one project, by their ids, in a few queries for all."""
    places = {request.pk: list(request.environments.all()) for request in requests}
    policies = policies_of({place for some in places.values() for place in some})
    wanting = {
        request.pk: _wanting(policies, places[request.pk], turns_off=request.turns_off)
        for request in requests
    }
    decided = [request for request in requests if wanting[request.pk]]
    approvers = _approvers(decided)
    evidence = latest_evidence(
        decided, {kind for one in policies.values() for kind in one.evidence}
    )
    return {
        request.pk: [
            Assessment(
                policy.environment,
                policy,
                assess(
                    requirement_of(policy, artefact=request.artefact),
                    _ballots(approvers.get(request.pk, []), policy.environment),
                    {
                        kind: state_of(row, now)
                        for kind, row in evidence.get(request.pk, {}).items()
                    },
                ),
            )
            for policy in wanting[request.pk]
        ]
        for request in requests
    }


def requirement_of(policy: Policy, *, artefact: str) -> Requirement:
    """What a policy wants of a change; evidence about artefacts only where it ships one."""
    kinds = policy.evidence.items()
    return Requirement(
        approvals=policy.required_approvals,
        roles=frozenset(policy.required_roles),
        evidence=frozenset(kind for kind, scope in kinds if artefact or scope == ALL_CHANGES),
    )


def barred_ids(request: ChangeRequest) -> set[int]:
    """Who cannot approve a request: who asked for it, and everybody who edited it."""
    barred = set(request.editors.values_list("user_id", flat=True))
    return barred | ({request.author_user_id} if request.author_user_id else set())


def deciding_environments(request: ChangeRequest) -> list[Environment]:
    """Where it is decided about a request: where a policy wants a say; all where none does."""
    places = list(request.environments.all())
    return _deciding(policies_of(places), places, turns_off=request.turns_off)


def may_approve(holdings: Holdings, environments: Iterable[Environment]) -> bool:
    """Whether somebody's vote counts in at least one of some environments."""
    return any(
        Permission.CHANGE_REQUEST_APPROVE in holdings.in_environment(environment.pk)
        for environment in environments
    )


def requests_of(project: Project) -> QuerySet[ChangeRequest]:
    """A project's requests, newest first."""
    return (
        ChangeRequest.objects.filter(project=project)
        .select_related("project", "author_user")
        .prefetch_related("environments")
    )


def open_requests(
    project: Project, *, subject_kind: str, subject: str, environment: Environment | None = None
) -> QuerySet[ChangeRequest]:
    """The open requests about one thing; in one environment where one is given."""
    found = requests_of(project).filter(
        state=State.OPEN, subject_kind=subject_kind, subject=subject
    )
    return found.filter(environments=environment) if environment else found


def waiting_for(user: User, project: Project) -> list[ChangeRequest]:
    """The open requests of a project that a person can still vote on, oldest first.

    A few queries however many there are; one where there is none.
    """
    waiting = list(
        requests_of(project)
        .filter(state=State.OPEN)
        .exclude(Q(author_user=user) | Q(votes__user=user) | Q(editors__user=user))
        .order_by("pk")
    )
    if not waiting:
        return []
    holdings = authority.holdings_of(user, project)
    policies = policies_of({place for one in waiting for place in one.environments.all()})
    return [
        one
        for one in waiting
        if may_approve(
            holdings,
            _deciding(policies, list(one.environments.all()), turns_off=one.turns_off),
        )
    ]


def latest_evidence(
    requests: Sequence[ChangeRequest], kinds: Iterable[str]
) -> dict[int, dict[str, Evidence]]:
    """The latest word on each kind, about a request's artefact or else its content, by request."""
    found: dict[int, dict[str, Evidence]] = {request.pk: {} for request in requests}
    wanted = list(kinds)
    if not requests or not wanted:
        return found
    digests = {digest for one in requests for digest in (one.artefact, one.digest) if digest}
    rows = Evidence.objects.filter(
        project=requests[0].project_id, digest__in=digests, kind__in=wanted
    )
    for row in rows:  # newest first
        for request in requests:
            if row.digest in (request.artefact, request.digest):
                found[request.pk].setdefault(row.kind, row)
    return found


def state_of(row: Evidence, now: datetime) -> EvidenceState:
    """What a row of evidence says at that instant."""
    if row.result != Result.PASSED:
        return EvidenceState.FAILED
    return EvidenceState.EXPIRED if row.expires_at <= now else EvidenceState.PASSED


def _wanting(
    policies: Mapping[int, Policy], places: Iterable[Environment], *, turns_off: bool
) -> list[Policy]:
    wanting = []
    for place in places:
        policy = policies.get(place.pk)
        if policy and (policy.turning_off_needs_approval or not turns_off):
            policy.environment = place
            wanting.append(policy)
    return wanting


def _deciding(
    policies: Mapping[int, Policy], places: list[Environment], *, turns_off: bool
) -> list[Environment]:
    wanting = _wanting(policies, places, turns_off=turns_off)
    return [policy.environment for policy in wanting] or places


Approvers = list[tuple[User, Holdings]]


def _approvers(requests: Sequence[ChangeRequest]) -> dict[int, Approvers]:
    """Who approved the present content of each request, and may have: with what they hold now."""
    if not requests:
        return {}
    barred = {(one.pk, one.author_user_id) for one in requests}
    barred |= set(Editor.objects.filter(request__in=requests).values_list("request_id", "user_id"))
    approving = Vote.objects.filter(
        request__in=requests, verdict=Verdict.APPROVE, digest=F("request__digest")
    )
    votes = [
        vote
        for vote in approving.select_related("user")
        if (vote.request_id, vote.user_id) not in barred
    ]
    if not votes:
        return {}
    holdings = authority.holdings_of_all({vote.user for vote in votes}, requests[0].project)
    found: dict[int, Approvers] = {}
    for vote in votes:
        found.setdefault(vote.request_id, []).append((vote.user, holdings[vote.user_id]))
    return found


def _ballots(approvers: Approvers, environment: Environment) -> list[Ballot]:
    """The votes that count in an environment: by people who may approve in it."""
    return [
        Ballot(voter.username, held.names_in(environment.pk))
        for voter, held in approvers
        if Permission.CHANGE_REQUEST_APPROVE in held.in_environment(environment.pk)
    ]
