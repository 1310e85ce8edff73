"""What the services of approvals write into the audit trail."""

from collections.abc import Iterable, Mapping

from portal.access.models import Environment
from portal.approvals.models import ChangeRequest
from portal.audit import states
from portal.lib import journal
from portal.lib.journal import Actor, Entry

_CONTENT = (
    "kind",
    "subject_kind",
    "subject",
    "title",
    "base_version",
    "before",
    "after",
    "words",
    "permissions",
    "turns_off",
    "serves",
    "artefact",
    "digest",
    "revision",
    "reason",
    "apply_when_approved",
)


def environment_key(environments: Iterable[Environment]) -> str:
    """The one environment that something is about; empty where there are several."""
    keys = [environment.key for environment in environments]
    return keys[0] if len(keys) == 1 else ""


def content_sha256(request: ChangeRequest) -> str:
    """The hash of all that a request asks for, of what and where, as the table holds it."""
    fields = {name: getattr(request, name) for name in _CONTENT}
    places = sorted(environment.key for environment in request.environments.all())
    return states.digest_of(fields | {"environments": places})


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
