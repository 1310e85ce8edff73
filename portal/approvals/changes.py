import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.approvals.models import ChangeRequest
from portal.audit import states
from portal.lib.journal import About, Entry, Intent

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One change, exactly as it is to happen.

    ``kind`` names who can carry it out (see kinds). ``environments`` are those in which it can be
    noticed; the policy of each has a say. ``base_version`` is the version of the thing that the
    change starts from, ``before`` and ``after`` are its documents. ``permissions`` are what it
    takes to want it. ``turns_off`` says that it does nothing but stop something. ``serves`` says
    that applications can notice it: then freezes stop it and glass can be broken for it.
    ``artefact`` is the digest of what it ships, where it ships something. ``place`` is the
    environment that its subject belongs to; None for what all environments share.
    """

    kind: str
    project: Project
    environments: tuple[Environment, ...]
    subject_kind: str
    subject: str
    title: str
    base_version: str
    before: Document
    after: Document
    permissions: tuple[Permission, ...]
    words: tuple[str, ...] = ()
    turns_off: bool = False
    serves: bool = True
    artefact: str = ""
    place: Environment | None = None

    @property
    def recorded_as(self) -> About:
        place = self.place.key if self.place else ""
        return About(self.subject_kind, self.subject, self.project.key, place)

    def entry(self, event: str, result: "GateResult", *, version: int | None = None) -> Entry:
        """What the history keeps of the change, once it has passed the gate.

        ``version`` is the one that its place has by it.
        """
        return result.intent.entry(
            event,
            replace(self.recorded_as, version=version),
            before=self.before,
            after=self.after,
        )

    @property
    def digest(self) -> str:
        return digest_of(
            kind=self.kind,
            project=self.project.key,
            environments=[environment.key for environment in self.environments],
            subject=self.subject,
            base_version=self.base_version,
            before=self.before,
            after=self.after,
        )


@dataclass(frozen=True, slots=True)
class GateResult:
    """The gate is open: for ``intent``, with the reason that the history keeps.

    ``request`` is the change request that it was opened by, applied now; None without one.
    """

    intent: Intent
    request: ChangeRequest | None = None


def digest_of(
    *,
    kind: str,
    project: str,
    environments: list[str],
    subject: str,
    base_version: str,
    before: Document,
    after: Document,
) -> str:
    """The digest of a change: SHA-256 over its canonical JSON (sorted keys, no spaces, UTF-8)."""
    parts = [kind, project, sorted(environments), subject, base_version, before, after]
    return "sha256:" + hashlib.sha256(canonical(parts).encode("utf-8", "surrogatepass")).hexdigest()


def canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def same_document(one: object, other: object) -> bool:
    """Whether two documents say the same as JSON.

    To Python 1, 1.0 and True are equal; to an application that gets one of them they are not.
    """
    return canonical(one) == canonical(other)


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
