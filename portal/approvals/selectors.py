"""Reading policies and change requests."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from portal.access import authority
from portal.access.holdings import Holdings
from portal.access.models import Environment, Project, User
from portal.access.permissions import Permission
from portal.approvals.models import ChangeRequest, Evidence, Policy, Result, State, Verdict, Vote
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
    policies = policies_of(places)
    wanting = []
    for place in places:
        policy = policies.get(place.pk)
        if policy and (policy.turning_off_needs_approval or not turns_off):
            policy.environment = place
            wanting.append(policy)
    return wanting


def assess_request(request: ChangeRequest, *, now: datetime) -> list[Assessment]:
    """What each policy that has a say thinks of a request now, by roles held now."""
    policies = policies_wanting(request.environments.all(), turns_off=request.turns_off)
    if not policies:
        return []
    ballots = _ballots(request, [policy.environment for policy in policies])
    found = []
    for policy in policies:
        requirement = requirement_of(policy, artefact=request.artefact)
        evidence = _evidence(request, requirement.evidence, now)
        standing = assess(requirement, ballots[policy.environment_id], evidence)
        found.append(Assessment(policy.environment, policy, standing))
    return found


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
    policies = policies_wanting(places, turns_off=request.turns_off)
    return [policy.environment for policy in policies] or places


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
    """The open requests of a project that a person can still vote on, oldest first."""
    waiting = (
        requests_of(project)
        .filter(state=State.OPEN)
        .exclude(Q(author_user=user) | Q(votes__user=user) | Q(editors__user=user))
        .order_by("pk")
    )
    holdings = authority.holdings_of(user, project)
    return [one for one in waiting if may_approve(holdings, deciding_environments(one))]


def _ballots(
    request: ChangeRequest, environments: Iterable[Environment]
) -> Mapping[int, list[Ballot]]:
    """The votes that count in each environment: for this content, by people who may still vote."""
    approving = Vote.objects.filter(
        request=request, verdict=Verdict.APPROVE, digest=request.digest
    ).exclude(user__in=barred_ids(request))
    voters = [vote.user for vote in approving.select_related("user")]
    holdings = authority.holdings_of_all(voters, request.project)
    return {
        environment.pk: [
            Ballot(voter.username, holdings[voter.pk].names_in(environment.pk))
            for voter in voters
            if Permission.CHANGE_REQUEST_APPROVE
            in holdings[voter.pk].in_environment(environment.pk)
        ]
        for environment in environments
    }


def _evidence(
    request: ChangeRequest, kinds: frozenset[str], now: datetime
) -> dict[str, EvidenceState]:
    """The latest word on each kind, about the artefact or else about the request's content."""
    digests = [digest for digest in (request.artefact, request.digest) if digest]
    rows = Evidence.objects.filter(project=request.project, digest__in=digests, kind__in=kinds)
    states: dict[str, EvidenceState] = {}
    for row in rows:  # newest first
        if row.kind not in states:
            states[row.kind] = _state(row, now)
    return states


def _state(row: Evidence, now: datetime) -> EvidenceState:
    if row.result != Result.PASSED:
        return EvidenceState.FAILED
    return EvidenceState.EXPIRED if row.expires_at <= now else EvidenceState.PASSED
