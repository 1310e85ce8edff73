"""How far a request has come, with names: who agreed, what counts, and who could still agree."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from portal.access import authority
from portal.access import selectors as access
from portal.access.models import Environment, User
from portal.access.permissions import Holdings
from portal.approvals import oneness, selectors
from portal.approvals.models import ChangeRequest, Evidence, Verdict, Vote
from portal.approvals.selectors import Assessment
from portal.approvals.standing import EvidenceState


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
    """A role that the voters must cover: by whom it is, or else who could."""

    name: str
    covered_by: tuple[str, ...]
    could: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EvidenceNeed:
    """A kind of evidence that is wanted, and the latest word on it."""

    kind: str
    state: EvidenceState
    row: Evidence | None


@dataclass(frozen=True)
class Outlook:
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
    holdings: Mapping[int, Holdings]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a request has come: an outlook for each environment whose policy has a say, where it
    is decided, and the names of everybody who may still vote on it somewhere."""

    outlooks: list[Outlook]
    deciding: list[Environment]
    could_vote: list[str]


def progress_of(request: ChangeRequest, *, now: datetime) -> Progress:
    """In a few queries for all; of a request that is closed, only where it was decided."""
    if not request.is_open:
        return Progress([], selectors.deciding_environments(request), [])
    people = _people(request)
    others = [user.pk for user in people.others]
    assessments = selectors.assess_request(request, now=now, others=others)
    deciding = [one.environment for one in assessments] or list(request.environments.all())
    could_vote = [
        user.username
        for user in people.others
        if selectors.may_approve(people.holdings[user.pk], deciding)
    ]
    return Progress([_outlook(one, people) for one in assessments], deciding, could_vote)


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
    return _People(votes, others, authority.holdings_of_all(everybody, request.project))


def _outlook(assessment: Assessment, people: _People) -> Outlook:
    place = assessment.environment.pk
    approvals = (vote for vote in people.votes if vote.verdict == Verdict.APPROVE)
    voters = tuple(_voter(vote, people.holdings[vote.user_id], assessment) for vote in approvals)
    candidates = tuple(
        Candidate(
            user.username,
            tuple(sorted(people.holdings[user.pk].names_in(place))),
            oneness.why_not_counted(assessment, user.pk),
        )
        for user in people.others
        if selectors.may_approve(people.holdings[user.pk], [assessment.environment])
    )
    return Outlook(
        assessment=assessment,
        voters=voters,
        candidates=candidates,
        roles=tuple(_need(name, voters, candidates) for name in assessment.policy.required_roles),
        evidence=tuple(
            EvidenceNeed(kind, state, assessment.evidence.get(kind))
            for kind, state in assessment.standing.evidence.items()
        ),
    )


def _voter(vote: Vote, held: Holdings, assessment: Assessment) -> Voter:
    names = held.names_in(assessment.environment.pk)
    counts = vote.user_id in assessment.standing.counted
    return Voter(
        vote=vote,
        names=tuple(sorted(names)),
        lost=tuple(name for name in vote.names if name not in _anywhere(held)),
        counts=counts,
        why_not="" if counts else oneness.why_not_counted(assessment, vote.user_id),
    )


def _anywhere(held: Holdings) -> frozenset[str]:
    return frozenset(name for name, _where in held.given)


def _need(name: str, voters: Iterable[Voter], candidates: Iterable[Candidate]) -> RoleNeed:
    return RoleNeed(
        name=name,
        covered_by=tuple(
            one.vote.user.username for one in voters if one.counts and name in one.names
        ),
        could=tuple(one.person for one in candidates if name in one.names and not one.why_not),
    )
