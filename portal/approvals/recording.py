"""What the services of approvals write into the audit trail."""

from collections.abc import Iterable, Mapping

from portal.access.models import Environment
from portal.approvals.models import ChangeRequest
from portal.lib import journal
from portal.lib.journal import Actor, Entry


def environment_key(environments: Iterable[Environment]) -> str:
    """The one environment that something is about; empty where there are several."""
    keys = [environment.key for environment in environments]
    return keys[0] if len(keys) == 1 else ""


def record_request(
    event: str,
    request: ChangeRequest,
    actor: Actor,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    reason: str = "",
) -> None:
    """Write the audit row of something that happened to a request."""
    journal.write(
        Entry(
            event=event,
            actor=actor,
            subject_kind="change_request",
            subject=str(request.pk),
            project=request.project.key,
            environment=environment_key(request.environments.all()),
            before=before,
            after=after,
            reason=reason.strip(),
        )
    )
