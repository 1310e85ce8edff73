"""Who takes part in requests, and who of them gave whom what, as the database has it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db.models import Q

from portal.access import authority
from portal.access.models import (
    ApiKey,
    ApproverConfirmation,
    Environment,
    Grant,
    Project,
    Sponsorship,
    SponsorshipKind,
)
from portal.access.permissions import Permission, RoleAssignments
from portal.approvals.approval_status import Confirmation, EvidenceState, Tie, Ties
from portal.approvals.models import ChangeRequest, Evidence, Policy, Result

APPROVE = Permission.CHANGE_REQUEST_APPROVE


@dataclass(slots=True, eq=False)
class Sponsorships:
    """What some people, and those behind them, were given lately in a project.

    ``confirmers`` are those who confirmed somebody, with what they hold now; ``nothing`` is what
    somebody without a role holds, ``groups`` what the groups among the rows have.
    """

    project: Project
    rows: list[Sponsorship]
    confirmations: list[ApproverConfirmation]
    confirmers: dict[int, RoleAssignments]
    governed_since: dict[int, datetime | None]
    nothing: RoleAssignments = field(default_factory=RoleAssignments)
    groups: dict[str, set[tuple[str, int | None]]] = field(default_factory=dict)

    def ties(
        self,
        policy: Policy,
        *,
        moment: datetime,
        outside: Collection[int] = (),
        all_of: bool = False,
    ) -> Ties:
        """The ties that count under a policy; ``outside`` are those whose own word does not.

        With ``all_of`` those that somebody's word stands against are among them.
        """
        place, window = policy.environment_id, timedelta(days=policy.independence_days)
        since = self.governed_since.get(place)
        begins = max(moment - window, since) if since else moment - window
        known = Ties(
            tuple(
                Tie(row.sponsor_id, row.person_id, row.at, row.pk)
                for row in self.rows
                if begins < row.at <= moment and self._matters(row, policy)
            ),
            window,
        )
        if all_of or not known.ties:
            return known
        words = [
            Confirmation(word.person_id, word.confirmed_by_id, word.at)
            for word in self.confirmations
            if APPROVE in self.confirmers[word.confirmed_by_id].in_environment(place)
        ]
        return known.confirmed(words, outside=outside)

    def row(self, tie: Tie) -> Sponsorship:
        return next(row for row in self.rows if row.pk == tie.row)

    def _matters(self, row: Sponsorship, policy: Policy) -> bool:
        """Accounts and passwords do everywhere; roles and groups where they bring a vote."""
        if row.kind not in (SponsorshipKind.ROLE, SponsorshipKind.GROUP):
            return True
        if row.environment_id not in (None, policy.environment_id):
            return False
        given = {(row.name, row.environment_id), *self.groups.get(row.name, ())}
        if any(name in policy.required_roles for name, _where in given):
            return True
        held = replace(self.nothing, given=frozenset(given))
        return APPROVE in held.in_environment(policy.environment_id)


def sponsorships_of(
    people: Iterable[int], project: Project, policies: Iterable[Policy], *, moment: datetime
) -> Sponsorships:
    """What can matter between some people: one query where nobody was given anything lately."""
    days = max((policy.independence_days for policy in policies), default=0)
    since = moment - timedelta(days=days)
    rows = _rows(set(people), project, since) if days else []
    if not rows:
        return Sponsorships(project, [], [], {}, {})
    words = list(
        ApproverConfirmation.objects.filter(project=project, at__gt=since).select_related(
            "confirmed_by"
        )
    )
    known = {row.person_id for row in rows}
    rows += _rows({word.confirmed_by_id for word in words} - known, project, since)
    confirmers = {word.confirmed_by for word in words}
    places = project.environments.values_list("pk", "governed_since")
    return Sponsorships(
        project,
        list({row.pk: row for row in rows}.values()),
        words,
        authority.role_assignments_of_all(confirmers, project) if confirmers else {},
        dict(places),
        authority.role_assignments_of_names((), project),
        _groups(rows, project),
    )


def _rows(people: set[int], project: Project, since: datetime) -> list[Sponsorship]:
    """What they were given, and those who gave it, and so on up."""
    found: list[Sponsorship] = []
    seen: set[int] = set()
    while people:
        given = Sponsorship.objects.filter(
            Q(project=None) | Q(project=project), person__in=people, at__gt=since
        )
        rows = list(given.select_related("sponsor", "person"))
        seen |= people
        found += rows
        people = {row.sponsor_id for row in rows} - seen
    return found


def _groups(rows: list[Sponsorship], project: Project) -> dict[str, set[tuple[str, int | None]]]:
    """What the groups among them have now: key -> (role, environment)."""
    keys = {row.name for row in rows if row.kind == SponsorshipKind.GROUP}
    found: dict[str, set[tuple[str, int | None]]] = {}
    if keys:
        grants = Grant.objects.filter(group__project=project, group__key__in=keys)
        for key, role, place in grants.values_list("group__key", "role", "environment_id"):
            found.setdefault(key, set()).add((role, place))
    return found


@dataclass(frozen=True, slots=True)
class EvidenceJudge:
    """Whose keys prove nothing in an environment: those of who asked or edited.

    ``all_ties`` are those too that somebody's word stands against.
    """

    environment: Environment
    askers: frozenset[int]
    ties: Ties
    all_ties: Ties

    def is_own(self, key: ApiKey) -> bool:
        behind = _answering(key)
        one = any(self.ties.are_one(who, asker) for who in behind for asker in self.askers)
        return one and not self._is_confirmed(key)

    def _is_confirmed(self, key: ApiKey) -> bool:
        """By somebody who is neither of them, and may approve there now."""
        confirmer = key.evidence_confirmed_by
        others = self.askers | _answering(key)
        if confirmer is None or any(self.all_ties.are_one(confirmer.pk, one) for one in others):
            return False
        held = authority.role_assignments_of(confirmer, self.environment.project)
        return Permission.CHANGE_REQUEST_APPROVE in held.in_environment(self.environment.pk)


def evidence_about(
    requests: Sequence[ChangeRequest], kinds: Iterable[str]
) -> dict[int, list[Evidence]]:
    """The evidence about each request's artefact or content, newest first, by request."""
    found: dict[int, list[Evidence]] = {request.pk: [] for request in requests}
    wanted = list(kinds)
    if not requests or not wanted:
        return found
    digests = {digest for one in requests for digest in (one.artefact, one.digest) if digest}
    rows = Evidence.objects.filter(
        project=requests[0].project_id, digest__in=digests, kind__in=wanted
    )
    for row in rows.select_related("posted_with__evidence_confirmed_by"):
        for request in requests:
            if row.digest in (request.artefact, request.digest):
                found[request.pk].append(row)
    return found


def evidence_for(
    kinds: Iterable[str], rows: Sequence[Evidence], doubt: EvidenceJudge, now: datetime
) -> dict[str, tuple[EvidenceState, Evidence]]:
    """What is known of each kind of evidence, and by which row; kinds without any are left out."""
    found: dict[str, tuple[EvidenceState, Evidence]] = {}
    for kind in kinds:
        own = None
        for row in rows:
            key = row.posted_with
            if row.kind != kind or key is None or key.environment_id != doubt.environment.pk:
                continue
            if not doubt.is_own(key):
                found[kind] = state_of(row, now), row
                break
            own = own or row
        else:
            if own is not None:
                found[kind] = EvidenceState.OWN, own
    return found


def behind_key(row: Evidence) -> set[int]:
    key = row.posted_with
    if key is None:
        return set()
    vouching = {key.evidence_confirmed_by_id} if key.evidence_confirmed_by_id else set()
    return _answering(key) | vouching


def state_of(row: Evidence, now: datetime) -> EvidenceState:
    if row.result != Result.PASSED:
        return EvidenceState.FAILED
    return EvidenceState.EXPIRED if row.expires_at <= now else EvidenceState.PASSED


def _answering(key: ApiKey) -> set[int]:
    """Who made a key, and who let it post evidence."""
    return {who for who in (key.creator_id, key.evidence_by_id) if who is not None}
