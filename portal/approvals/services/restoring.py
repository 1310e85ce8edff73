"""Making a thing what a row of the history says it was: an ordinary governed change."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.utils.translation import gettext as _

from portal.access.models import Environment, Project
from portal.approvals import handlers
from portal.approvals.changes import canonical
from portal.approvals.errors import ApprovalRequired
from portal.approvals.freezes.selectors import Frozen
from portal.approvals.handlers import ChangeSubject, Document, Side, Target, Wanted
from portal.approvals.services.requests import require_may_ask
from portal.audit.models import AuditEvent
from portal.lib import subjects
from portal.lib.errors import AviaryError, Conflict, Invalid
from portal.lib.journal import Intent


class NothingToRestore(AviaryError):
    """A row that does not say what all of a thing was, or the thing is gone."""

    status = 404


# What comes of reading a document of another version: the history keeps it as it was.
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ObjectDoesNotExist)


@dataclass(frozen=True, slots=True)
class Restoration:
    found: ChangeSubject
    document: Document
    current: Side
    words: Sequence[str]

    @property
    def version(self) -> str:
        """Of what there is now; what has no versions of its own is told apart by its document."""
        document = canonical(self.current.document).encode("utf-8", "surrogatepass")
        return self.current.version or hashlib.sha256(document).hexdigest()


@dataclass(frozen=True, slots=True)
class RestorePreflight:
    """What would come of restoring it: whether it waits for others, or what stands in the way;
    neither where it would happen."""

    waits: bool = False
    problems: Sequence[str] = ()


def restoration_of(project: Project, event: AuditEvent) -> Restoration:
    """What a row of the history says a thing was. Raises NothingToRestore."""
    restored = subjects.restored(event)
    if restored is None:
        raise NothingToRestore(_("This record does not say what all of it was."))
    change, document = restored
    try:
        found = handlers.find(change, Target(project, event.subject, _places(project, event)))
    except ObjectDoesNotExist:
        raise NothingToRestore(_("It has been deleted since.")) from None
    try:
        current = found.current(document)
        words = found.words_between(current.document, document)
    except _UNREADABLE:
        text = _("This record is in an older format that can no longer be read.")
        raise NothingToRestore(text) from None
    return Restoration(found, document, current, words)


def _places(project: Project, event: AuditEvent) -> tuple[Environment, ...]:
    return (project.environments.get(key=event.environment),) if event.environment else ()


def restore(restoration: Restoration, *, seen_version: str, intent: Intent) -> None:
    """Restore it, by the service that changes such things, with all that it raises.

    Raises Conflict where it is no longer at the version that was seen, Waiting where a policy wants
    others to agree.
    """
    document, current = restoration.document, restoration.current
    if seen_version != restoration.version:
        text = _("This was changed meanwhile: look at what would change now.")
        raise Conflict(text, current=current.document, yours=dict(document))
    restoration.found.apply(Wanted(document, current.version, intent))


def preflight_restore(restoration: Restoration, *, intent: Intent) -> RestorePreflight:
    """Restore it, and take that back."""
    dry = replace(intent, options=replace(intent.options, dry=True))
    try:
        with transaction.atomic():
            restore(restoration, seen_version=restoration.version, intent=dry)
            transaction.set_rollback(True)
    except ApprovalRequired as needed:
        return _filed(needed)
    except Frozen as frozen:
        # The page of one environment says it, and offers to go on to who may.
        return RestorePreflight(
            problems=() if restoration.found.target.environments else [str(frozen)]
        )
    except Invalid as error:
        return RestorePreflight(problems=[*dict.fromkeys(error.problems.values())])
    except AviaryError as error:
        return RestorePreflight(problems=[str(error)])
    return RestorePreflight()


def _filed(needed: ApprovalRequired) -> RestorePreflight:
    try:
        require_may_ask(needed)
    except AviaryError as error:
        return RestorePreflight(problems=[str(error)])
    return RestorePreflight(waits=True)
