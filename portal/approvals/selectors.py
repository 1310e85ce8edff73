from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, QuerySet

from portal.access import authority
from portal.access.models import Environment, Project, User
from portal.access.permissions import Permission, RoleAssignments
from portal.approvals import handlers
from portal.approvals.approval_status import Approval, ApprovalStatus, Requirement, Ties, assess
from portal.approvals.independence import (
    EvidenceJudge,
    Sponsorships,
    behind_key,
    evidence_about,
    evidence_for,
    sponsorships_of,
)
from portal.approvals.models import (
    ChangeRequest,
    Editor,
    Evidence,
    Policy,
    State,
    Verdict,
    Vote,
)

ALL_CHANGES = "all"
ARTEFACTS = "artefacts"

Approvers = list[tuple[User, RoleAssignments]]


@dataclass(frozen=True, slots=True)
class Parties:
    askers: frozenset[int]
    approvers: Approvers
    evidence: list[Evidence]
    sponsorships: Sponsorships


@dataclass(frozen=True, slots=True)
class Assessment:
    """How far a request has come in one environment, under the policy that holds there now.

    ``askers`` asked for it or edited it, ``ties`` are what they and the voters owe each other.
    ``evidence`` has the row behind each state, where there is one.
    """

    environment: Environment
    policy: Policy
    status: ApprovalStatus
    askers: frozenset[int]
    ties: Ties
    sponsorships: Sponsorships
    evidence: Mapping[str, Evidence]


def policies_of(environments: Iterable[Environment]) -> dict[int, Policy]:
    found = Policy.objects.filter(environment__in=list(environments))
    return {policy.environment_id: policy for policy in found}


def policies_wanting(environments: Iterable[Environment], *, turns_off: bool) -> list[Policy]:
    places = list(environments)
    return _wanting(policies_of(places), places, turns_off=turns_off)


def assess_request(
    request: ChangeRequest, *, now: datetime, others: Iterable[int] = ()
) -> list[Assessment]:
    """What each policy that has a say thinks of a request now, by roles held now.

    Its ties are those of ``others`` as well.
    """
    return assess_requests([request], now=now, others=others)[request.pk]


def assess_requests(
    requests: Sequence[ChangeRequest], *, now: datetime, others: Iterable[int] = ()
) -> dict[int, list[Assessment]]:
    """The same of several requests of one project, by their ids, in a few queries for all."""
    places = {request.pk: list(request.environments.all()) for request in requests}
    policies = policies_of({place for some in places.values() for place in some})
    wanting = {
        request.pk: _wanting(policies, places[request.pk], turns_off=request.turns_off)
        for request in requests
    }
    decided = [request for request in requests if wanting[request.pk]]
    parties = _parties(decided, policies.values(), others, now)
    return {
        request.pk: [
            _assess(request, policy, parties[request.pk], now) for policy in wanting[request.pk]
        ]
        for request in requests
    }


def counted_votes(request: ChangeRequest, assessments: Collection[Assessment]) -> list[Vote]:
    """The approvals that count somewhere, as they were assessed; all where no policy has a say.

    Who has lost the right since, or counts as one person with somebody else, is not among them.
    """
    votes = request.votes.filter(verdict=Verdict.APPROVE).select_related("user")
    counted = {person for one in assessments for person in one.status.counted}
    return [vote for vote in votes if not assessments or vote.user_id in counted]


def _assess(request: ChangeRequest, policy: Policy, parties: Parties, now: datetime) -> Assessment:
    """By who takes part. Once it is applied, what people were given later is beside the point."""
    place, moment = policy.environment, request.closed_at or now
    voters = {voter.pk for voter, _held in parties.approvers}
    sponsorships, askers = parties.sponsorships, parties.askers
    ties = sponsorships.ties(policy, moment=moment, outside=askers | voters)
    requirement = requirement_of(policy, artefact=request.artefact)
    evidence = evidence_for(
        requirement.evidence,
        parties.evidence,
        EvidenceJudge(place, askers, ties, sponsorships.ties(policy, moment=moment, all_of=True)),
        now,
    )
    status = assess(
        requirement,
        _approvals(parties.approvers, place),
        {kind: state for kind, (state, _row) in evidence.items()},
        ties=ties,
        askers=askers,
    )
    rows = {kind: row for kind, (_state, row) in evidence.items()}
    return Assessment(place, policy, status, askers, ties, sponsorships, rows)


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
    barred = {editor.user_id for editor in request.editors.all()}
    return barred | ({request.author_user_id} if request.author_user_id else set())


def deciding_environments(request: ChangeRequest) -> list[Environment]:
    """Where it is decided about a request: where a policy wants a say; all where none does."""
    places = list(request.environments.all())
    return _deciding(policies_of(places), places, turns_off=request.turns_off)


def may_approve(assignments: RoleAssignments, environments: Iterable[Environment]) -> bool:
    """Whether somebody's vote counts in at least one of some environments."""
    return any(
        Permission.CHANGE_REQUEST_APPROVE in assignments.in_environment(environment.pk)
        for environment in environments
    )


def requests_of(project: Project) -> QuerySet[ChangeRequest]:
    found = project.change_requests.select_related("author_user")
    return found.prefetch_related("environments")


def open_requests(
    project: Project, *, subject_kind: str, subject: str, environment: Environment | None = None
) -> QuerySet[ChangeRequest]:
    found = requests_of(project).filter(
        state=State.OPEN, subject_kind=subject_kind, subject=subject
    )
    return found.filter(environments=environment) if environment else found


def waiting_for(user: User, project: Project) -> list[ChangeRequest]:
    """The open requests of a project that a person can still vote on, and of which something can
    come, oldest first.

    A few queries however many there are; one where nothing waits.
    """
    waiting = list(
        requests_of(project)
        .filter(state=State.OPEN)
        .exclude(Q(author_user=user) | Q(votes__user=user) | Q(editors__user=user))
        .order_by("pk")
    )
    if not waiting:
        return []
    assignments = authority.role_assignments_of(user, project)
    policies = policies_of({place for one in waiting for place in one.environments.all()})
    stopped = handlers.stopped(waiting)
    return [
        one
        for one in waiting
        if one.pk not in stopped
        and may_approve(
            assignments,
            _deciding(policies, list(one.environments.all()), turns_off=one.turns_off),
        )
    ]


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


def _parties(
    requests: Sequence[ChangeRequest],
    policies: Collection[Policy],
    others: Iterable[int],
    now: datetime,
) -> dict[int, Parties]:
    if not requests:
        return {}
    askers = _askers(requests)
    approvers = _approvers(requests, askers)
    kinds = {kind for one in policies for kind in one.evidence}
    evidence = evidence_about(requests, kinds)
    people = set(others)
    people |= {voter.pk for some in approvers.values() for voter, _held in some}
    people |= {person for some in evidence.values() for row in some for person in behind_key(row)}
    if people:
        people = people.union(*askers.values())
    sponsorships = sponsorships_of(people, requests[0].project, policies, moment=now)
    return {
        one.pk: Parties(askers[one.pk], approvers.get(one.pk, []), evidence[one.pk], sponsorships)
        for one in requests
    }


def _askers(requests: Sequence[ChangeRequest]) -> dict[int, frozenset[int]]:
    found = {one.pk: {one.author_user_id} - {None} for one in requests}
    editors = Editor.objects.filter(request__in=requests)
    for request, editor in editors.values_list("request_id", "user_id"):
        found[request].add(editor)
    return {pk: frozenset(one for one in some if one is not None) for pk, some in found.items()}


def _approvers(
    requests: Sequence[ChangeRequest], askers: Mapping[int, frozenset[int]]
) -> dict[int, Approvers]:
    approving = Vote.objects.filter(
        request__in=requests, verdict=Verdict.APPROVE, digest=F("request__digest")
    )
    votes = [
        vote
        for vote in approving.select_related("user")
        if vote.user_id not in askers[vote.request_id]
    ]
    if not votes:
        return {}
    assignments = authority.role_assignments_of_all(
        {vote.user for vote in votes}, requests[0].project
    )
    found: dict[int, Approvers] = {}
    for vote in votes:
        found.setdefault(vote.request_id, []).append((vote.user, assignments[vote.user_id]))
    return found


def _approvals(approvers: Approvers, environment: Environment) -> list[Approval]:
    """The votes that count in an environment: by people who may approve in it."""
    return [
        Approval(voter.pk, held.names_in(environment.pk))
        for voter, held in approvers
        if Permission.CHANGE_REQUEST_APPROVE in held.in_environment(environment.pk)
    ]
