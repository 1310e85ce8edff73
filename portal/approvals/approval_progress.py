"""How far a request has come, with names: who agreed, what counts, and who could still agree."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from portal.access import authority, overview, selectors as access
from portal.access.models import Environment, User
from portal.access.permissions import Permission, RoleAssignments
from portal.approvals import selectors
from portal.approvals.approval_status import Approval, EvidenceState, Requirement, Ties, assess
from portal.approvals.descriptions import listed
from portal.approvals.independence import Sponsorships, sponsorships_of
from portal.approvals.models import ChangeRequest, Evidence, Policy, Verdict, Vote
from portal.approvals.selectors import Assessment


def why_not_counted(found: Assessment, person: int) -> str:
    """Why the approval of somebody does not count with those of the others; empty where it does."""
    others = [*found.askers, *(found.status.counted - {person})]
    return why_one(found.sponsorships, found.ties, person, others)


def why_one(sponsorships: Sponsorships, ties: Ties, person: int, others: Iterable[int]) -> str:
    """Why somebody counts as one with one of some others, until when, and what to do."""
    same = [other for other in others if ties.are_one(person, other)]
    if not same:
        return ""
    path = ties.why_one(person, same[0])
    if not path:  # they asked for it themselves
        return ""
    rows = {row.pk: row for row in map(sponsorships.row, path)}.values()
    names = overview.names_of(sponsorships.project)
    receivers = [row.person for row in rows]
    confirm = next((one for one in receivers if one.pk == person), receivers[-1])
    ends = [end for end in (ties.two_from(person, other) for other in same) if end]
    text = _("{why}. Counts from {date}, or once another approver confirms {person}.")
    return text.format(
        why=listed(overview.sponsorship_words(row, names) for row in rows),
        date=overview.day(max(ends)),
        person=confirm.username,
    )


def of_two(one: int | None, other: int, request: ChangeRequest, *, now: datetime) -> str:
    """Why two people count as one where a request is decided; empty where they are two."""
    if one is None:
        return ""
    places = list(request.environments.all())
    policies = list(selectors.policies_of(places).values())
    sponsorships = sponsorships_of({one, other}, request.project, policies, moment=now)
    for policy in policies:
        ties = sponsorships.ties(policy, moment=now, outside={one, other})
        why = why_one(sponsorships, ties, other, [one])
        if why:
            return _("Somebody else has to do this: {why}").format(why=why)
    return ""


@dataclass(frozen=True, slots=True)
class Voter:
    """Who approved. ``counts`` is whether that counts there now; ``lost`` what they had.

    ``why_not`` says why it does not, where that is not for want of a role.
    """

    vote: Vote
    names: tuple[str, ...]
    lost: tuple[str, ...]
    counts: bool
    why_not: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who may still approve, and the roles and groups they would bring.

    ``why_not`` says why that would not count yet; empty where it would.
    """

    person: str
    names: tuple[str, ...]
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class RoleNeed:
    name: str
    covered_by: tuple[str, ...]
    could: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EvidenceNeed:
    kind: str
    state: EvidenceState
    row: Evidence | None


@dataclass(frozen=True)
class EnvironmentProgress:
    assessment: Assessment
    voters: tuple[Voter, ...]
    candidates: tuple[Candidate, ...]
    roles: tuple[RoleNeed, ...]
    evidence: tuple[EvidenceNeed, ...]

    @cached_property
    def environment(self) -> Environment:
        return self.assessment.environment

    @property
    def ready(self) -> list[Candidate]:
        return [one for one in self.candidates if not one.why_not]


@dataclass(frozen=True, slots=True)
class _People:
    votes: list[Vote]
    others: list[User]
    assignments: Mapping[int, RoleAssignments]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a request has come: one for each environment whose policy has a say, where it
    is decided, and the names of everybody who may still vote on it somewhere."""

    environments: list[EnvironmentProgress]
    deciding: list[Environment]
    could_vote: list[str]


def progress_of(request: ChangeRequest, *, now: datetime) -> Progress:
    if not request.is_open:
        return Progress([], selectors.deciding_environments(request), [])
    people = _people(request)
    others = [user.pk for user in people.others]
    assessments = selectors.assess_request(request, now=now, others=others)
    deciding = [one.environment for one in assessments] or list(request.environments.all())
    could_vote = [
        user.username
        for user in people.others
        if selectors.may_approve(people.assignments[user.pk], deciding)
    ]
    return Progress([_progress_in(one, people) for one in assessments], deciding, could_vote)


def _people(request: ChangeRequest) -> _People:
    barred = selectors.barred_ids(request)
    votes = [
        vote
        for vote in request.votes.all()
        if vote.digest == request.digest and vote.user_id not in barred
    ]
    voted = {vote.user_id for vote in votes}
    members = access.members_of(request.project).filter(is_active=True)
    others = [user for user in members if user.pk not in barred | voted]
    everybody = [*others, *(vote.user for vote in votes)]
    return _People(votes, others, authority.role_assignments_of_all(everybody, request.project))


def _progress_in(assessment: Assessment, people: _People) -> EnvironmentProgress:
    place = assessment.environment.pk
    approvals = (vote for vote in people.votes if vote.verdict == Verdict.APPROVE)
    voters = tuple(_voter(vote, people.assignments[vote.user_id], assessment) for vote in approvals)
    candidates = tuple(
        Candidate(
            user.username,
            tuple(sorted(people.assignments[user.pk].names_in(place))),
            why_not_counted(assessment, user.pk),
        )
        for user in people.others
        if selectors.may_approve(people.assignments[user.pk], [assessment.environment])
    )
    return EnvironmentProgress(
        assessment=assessment,
        voters=voters,
        candidates=candidates,
        roles=tuple(_need(name, voters, candidates) for name in assessment.policy.required_roles),
        evidence=tuple(
            EvidenceNeed(kind, state, assessment.evidence.get(kind))
            for kind, state in assessment.status.evidence.items()
        ),
    )


def _voter(vote: Vote, held: RoleAssignments, assessment: Assessment) -> Voter:
    names = held.names_in(assessment.environment.pk)
    counts = vote.user_id in assessment.status.counted
    return Voter(
        vote=vote,
        names=tuple(sorted(names)),
        lost=tuple(name for name in vote.names if name not in _anywhere(held)),
        counts=counts,
        why_not="" if counts else why_not_counted(assessment, vote.user_id),
    )


def _anywhere(held: RoleAssignments) -> frozenset[str]:
    return frozenset(name for name, _where in held.given)


def _need(name: str, voters: Iterable[Voter], candidates: Iterable[Candidate]) -> RoleNeed:
    return RoleNeed(
        name=name,
        covered_by=tuple(
            one.vote.user.username for one in voters if one.counts and name in one.names
        ),
        could=tuple(one.person for one in candidates if name in one.names and not one.why_not),
    )


def too_few(environment: Environment, document: Mapping[str, Any], *, now: datetime) -> str:
    """What is wrong where the people of today cannot satisfy a policy; empty where they can.

    That is if all of them approved what somebody else asks for. Who counts as one with another
    does so from a date on that the sentence names.
    """
    policy = Policy(
        environment=environment,
        required_roles=document["required_roles"],
        independence_days=document["independence_days"],
    )
    wanted = Requirement(document["required_approvals"], frozenset(document["required_roles"]))
    approvals = _possible_approvals(environment)
    ties = _ties(policy, approvals, now)
    count = _count(wanted, approvals, ties)
    if count is None:
        return ""
    text = _("Only {count} of the {wanted} people needed can count here today.")
    first = text.format(count=count, wanted=wanted.approvals)
    if count >= wanted.approvals:
        first = _("The people who can count here today do not cover the roles together.")
    date = _enough_from(wanted, approvals, ties)
    if date is None:
        return f"{first} " + _("Give more people a role that may approve changes here.")
    rest = _("From {date} enough of them can, or once another approver confirms them.")
    return f"{first} {rest.format(date=overview.day(date))}"


def _possible_approvals(environment: Environment) -> list[Approval]:
    people = list(access.members_of(environment.project).filter(is_active=True))
    held = authority.role_assignments_of_all(people, environment.project)
    return [
        Approval(person.pk, held[person.pk].names_in(environment.pk))
        for person in people
        if Permission.CHANGE_REQUEST_APPROVE in held[person.pk].in_environment(environment.pk)
    ]


def _ties(policy: Policy, approvals: list[Approval], now: datetime) -> Ties:
    """Before there is a policy, whatever people have stands before the first one."""
    environment = policy.environment
    if not Environment.objects.filter(pk=environment.pk, governed_since__isnull=False).exists():
        return Ties()
    people = [one.voter for one in approvals]
    sponsorships = sponsorships_of(people, environment.project, [policy], moment=now)
    return sponsorships.ties(policy, moment=now)


def _count(wanted: Requirement, approvals: list[Approval], ties: Ties) -> int | None:
    """How many count, where they do not suffice; None where they do."""
    found = assess(wanted, approvals, {}, ties=ties)
    return None if found.is_satisfied else found.approvals


def _enough_from(wanted: Requirement, approvals: list[Approval], ties: Ties) -> datetime | None:
    for ended in sorted(tie.at for tie in ties.ties):
        left = Ties(tuple(tie for tie in ties.ties if tie.at > ended), ties.window)
        if _count(wanted, approvals, left) is None:
            return ended + ties.window
    return None
