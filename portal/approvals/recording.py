from portal.approvals.models import ChangeRequest
from portal.audit import states

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


def content_sha256(request: ChangeRequest) -> str:
    fields = {name: getattr(request, name) for name in _CONTENT}
    places = sorted(environment.key for environment in request.environments.all())
    return states.digest_of(fields | {"environments": places})
