"""Creating, editing and cancelling freeze windows."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.approvals.freeze_wording import freeze_changes, window_words
from portal.approvals.freezing import Occurrence, in_force
from portal.approvals.models import FREEZE_FIELDS, FreezeWindow
from portal.approvals.services.freeze_documents import read_document
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import Actor, Intent

Document = Mapping[str, object]


@transaction.atomic
def create_freeze(*, project: Project, document: Document, intent: Intent) -> FreezeWindow:
    """Create a window; ``document`` has the fields of FreezeWindow.document.

    Raises Invalid with each field that is wrong; Forbidden without ``environment.configure`` in
    each of its environments. What passed the gate before stands; nothing is undone.
    """
    outbox.lock_people(project)
    moment = intent.at
    wanted, environments = read_document(project, document, moment=moment)
    _require(Permission.ENVIRONMENT_CONFIGURE, project, environments, intent.actor)
    freeze = FreezeWindow(project=project, created_at=moment, created_by=intent.actor.label)
    _store(freeze, wanted, environments, intent.actor, moment)
    after = freeze.document | {"words": window_words(freeze.window)}
    intent.record("freeze.created", freeze.recorded_in(environments), after=after)
    return freeze


@transaction.atomic
def edit_freeze(
    *, freeze: FreezeWindow, document: Document, expected_version: int, intent: Intent
) -> FreezeWindow:
    """Change a window. Raises what create_freeze raises, for the environments of before and after;
    Forbidden without ``freeze.override`` where it takes away from a freeze that is in force now;
    Conflict where it is no longer at ``expected_version``; Invalid where it is cancelled.
    """
    project = freeze.project
    outbox.lock_people(project)
    moment, locked = intent.at, _lock(freeze)
    before, before_environments = locked.document, list(locked.environments.all())
    if locked.version != expected_version:
        raise Conflict(
            _("Someone changed this freeze meanwhile."), current=before, yours=dict(document)
        )
    wanted, environments = read_document(project, document, moment=moment, freeze=locked)
    everywhere = {place.pk: place for place in [*before_environments, *environments]}.values()
    _require(Permission.ENVIRONMENT_CONFIGURE, project, everywhere, intent.actor)
    running = in_force(locked.window, moment)
    for field in FREEZE_FIELDS:
        setattr(locked, field, wanted[field])
    kept = _goes_on(running, locked, moment)
    lost = [one for one in before_environments if not (kept and one in environments)]
    if running:
        _require(Permission.FREEZE_OVERRIDE, project, lost, intent.actor)
    after = wanted | {"environments": [environment.key for environment in environments]}
    if after == before:
        return locked
    locked.version += 1
    _store(locked, wanted, environments, intent.actor, moment)
    after["words"] = freeze_changes(before, after)
    intent.record("freeze.edited", locked.recorded_in(everywhere), before=before, after=after)
    return locked


@transaction.atomic
def cancel_freeze(*, freeze: FreezeWindow, intent: Intent) -> None:
    """End a window for good; it stays in the history.

    Raises Forbidden without ``environment.configure`` in each of its environments, and without
    ``freeze.override`` there while it is in force; Invalid where it is cancelled already.
    """
    outbox.lock_people(freeze.project)
    moment, locked = intent.at, _lock(freeze)
    environments = list(locked.environments.all())
    _require(Permission.ENVIRONMENT_CONFIGURE, freeze.project, environments, intent.actor)
    if in_force(locked.window, moment):
        _require(Permission.FREEZE_OVERRIDE, freeze.project, environments, intent.actor)
    locked.cancelled_at, locked.cancelled_by = moment, intent.actor.label
    locked.save(update_fields=["cancelled_at", "cancelled_by"])
    before = locked.document | {"words": window_words(locked.window)}
    intent.record("freeze.cancelled", locked.recorded_in(environments), before=before)


def _goes_on(running: Occurrence | None, freeze: FreezeWindow, moment: datetime) -> bool:
    """Whether an edited window holds now, and for as long as it did before."""
    still = in_force(freeze.window, moment)
    return bool(running and still and still.ends >= running.ends)


def _lock(freeze: FreezeWindow) -> FreezeWindow:
    locked = freeze.project.freezes.select_for_update().get(pk=freeze.pk)
    if locked.is_cancelled:
        text = _("{person} has cancelled this freeze.")
        raise Invalid({"": text.format(person=locked.cancelled_by)})
    return locked


def _require(
    permission: Permission, project: Project, environments: Iterable[Environment], actor: Actor
) -> None:
    for environment in environments:
        authority.require(actor, permission, project=project, environment=environment)


def _store(
    freeze: FreezeWindow,
    wanted: Document,
    environments: list[Environment],
    actor: Actor,
    moment: datetime,
) -> None:
    for field in FREEZE_FIELDS:
        setattr(freeze, field, wanted[field])
    freeze.updated_at, freeze.updated_by = moment, actor.label
    freeze.save()
    freeze.environments.set(environments)
