"""Turning a flag on and off in an environment, and changing who gets what there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from flags.engine import Configuration
from flags.models import Flag, FlagConfiguration
from flags.services import changes, referring
from flags.services.parsing import configuration_from
from flags.services.recording import record_flag
from portal.access import outbox
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals import gate
from portal.approvals.changes import PLAIN, Terms, same_document
from portal.approvals.services import gated
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import Actor


@dataclass(frozen=True, slots=True)
class Switched:
    """A configuration after its switch, and the version it had before.

    Whoever has the configuration open at that version has missed nothing but the switch.
    """

    configuration: FlagConfiguration
    previous_version: int


@gated
def save_configuration(
    *,
    flag: Flag,
    environment: Environment,
    document: object,
    expected_version: int,
    actor: Actor,
    now: datetime,
    reason: str = "",
    terms: Terms = PLAIN,
) -> FlagConfiguration:
    """Replace a flag's configuration in one environment.

    Raises Forbidden without ``flag.edit`` (and ``flag.toggle`` where it turns on or off); Invalid
    when the document is, or refers to what is not there or in a circle; Conflict, with both sides,
    when it is no longer at ``expected_version``; Waiting where the environment's policy wants
    others to agree first.
    """
    _require(Permission.FLAG_EDIT, flag, environment, actor, terms)
    current = _locked(flag, environment, terms)
    wanted = configuration_from(document, current.flag.definition)
    if current.version != expected_version:
        raise _conflict(current, document)
    if wanted.enabled != current.enabled:
        _require(Permission.FLAG_TOGGLE, flag, environment, actor, terms)
    if not current.flag.is_archived:
        referring.check_configuration(current.flag, current.environment, wanted)
    return _store(current, wanted, actor=actor, now=now, reason=reason, terms=terms)


@gated
def set_enabled(
    *,
    flag: Flag,
    environment: Environment,
    enabled: bool,
    actor: Actor,
    now: datetime,
    reason: str = "",
    expected_version: int | None = None,
    terms: Terms = PLAIN,
) -> Switched:
    """Turn a flag on or off in one environment; doing it again changes nothing.

    Turning on serves whatever the targeting says, so the caller gives the version they looked at
    and gets a Conflict when it is another now. Turning off is always safe and never conflicts.
    Raises Forbidden without ``flag.toggle``, Waiting where a policy wants others to agree first.
    """
    _require(Permission.FLAG_TOGGLE, flag, environment, actor, terms)
    current = _locked(flag, environment, terms)
    if enabled and expected_version is not None and current.version != expected_version:
        raise _conflict(current, {**current.document, "enabled": enabled})
    wanted = configuration_from({**current.document, "enabled": enabled}, current.flag.definition)
    previous_version = current.version
    stored = _store(current, wanted, actor=actor, now=now, reason=reason, terms=terms)
    return Switched(stored, previous_version)


def _locked(flag: Flag, environment: Environment, terms: Terms) -> FlagConfiguration:
    """The configuration as it is now, its environment's row locked against other writers.

    Nobody is served an archived flag, so nobody changes it; an emergency change ends all the same,
    so that it is not served once the flag is restored.
    """
    (locked,) = outbox.lock_environments([environment])
    current = FlagConfiguration.objects.select_related("flag__project").get(
        flag=flag, environment=environment
    )
    locked.project = flag.project
    current.environment = locked
    if current.flag.is_archived and terms.undoing is None:
        raise Invalid({"": _("This flag is archived. Restore it first.")})
    return current


def _require(
    permission: Permission, flag: Flag, environment: Environment, actor: Actor, terms: Terms
) -> None:
    gate.require(actor, permission, project=flag.project, environment=environment, terms=terms)


def _store(
    current: FlagConfiguration,
    wanted: Configuration,
    *,
    actor: Actor,
    now: datetime,
    reason: str,
    terms: Terms,
) -> FlagConfiguration:
    before, version = current.document, current.version
    current.set_configuration(wanted)
    after = current.document
    if same_document(after, before):
        return current
    change = changes.configuration_change(current, before, version)
    passage = gate.pass_through(change, actor=actor, now=now, reason=reason, terms=terms)
    environment = current.environment
    current.version = outbox.advance(
        environment, kind=outbox.FLAG, keys=[current.flag.key], now=now
    )
    current.updated_at = now
    current.updated_by = actor.label
    current.save()
    record_flag(
        change_event(before, after),
        current.flag,
        actor=actor,
        environment=environment,
        before=before,
        after=after,
        reason=passage.reason,
    )
    return current


def change_event(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """What to call the change: turning on or off names it, whatever else came along."""
    if before["enabled"] == after["enabled"]:
        return "flag.targeting_changed"
    return "flag.enabled" if after["enabled"] else "flag.disabled"


def _conflict(current: FlagConfiguration, document: object) -> Conflict:
    return Conflict(
        _("{person} changed this flag in {environment} while you were editing it.").format(
            person=current.updated_by or _("Someone"), environment=current.environment.name
        ),
        current={**current.document, "version": current.version},
        yours=dict(document) if isinstance(document, dict) else {},
    )
