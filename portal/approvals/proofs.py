"""Which evidence speaks for a request: about its content, of its environment, and by whose key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.access import authority
from portal.access.models import ApiKey, Environment
from portal.access.permissions import Permission
from portal.approvals.approval_status import EvidenceState, Ties
from portal.approvals.models import ChangeRequest, Evidence, Result


@dataclass(frozen=True, slots=True)
class Doubt:
    """Whose keys prove nothing in an environment: those of who asked or edited.

    ``all_ties`` are those too that somebody's word stands against.
    """

    environment: Environment
    askers: frozenset[int]
    ties: Ties
    all_ties: Ties

    def is_own(self, key: ApiKey) -> bool:
        """Whether it is a key of who asked, or of somebody who counts as one person with them."""
        behind = _answering(key)
        one = any(self.ties.are_one(who, asker) for who in behind for asker in self.askers)
        return one and not self._is_confirmed(key)

    def _is_confirmed(self, key: ApiKey) -> bool:
        """By somebody who is neither of them, and may approve there now."""
        confirmer = key.evidence_confirmed_by
        others = self.askers | _answering(key)
        if confirmer is None or any(self.all_ties.are_one(confirmer.pk, one) for one in others):
            return False
        held = authority.holdings_of(confirmer, self.environment.project)
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
    kinds: Iterable[str], rows: Sequence[Evidence], doubt: Doubt, now: datetime
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
    """Who answers for the key that a row was posted with, and who vouched for it."""
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
