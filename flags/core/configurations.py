"""Turning a flag on and off in an environment, and changing who gets what there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from flags.core import changes
from flags.core.parsing import configuration_from, without_past_releases
from flags.engine import Configuration, Named
from flags.models import Flag, FlagConfiguration
from flags.references import referring
from flags.references.dependants import flags_named_in, follow
from portal.access import outbox
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals import gate
from portal.approvals.changes import same_document
from portal.approvals.services import gated
from portal.lib import journal
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import Intent


@dataclass(frozen=True, slots=True)
class Switched:
    """A configuration after its switch, and the version it had before.

    Somebody who has the configuration open at that version has missed nothing but the switch.
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
    intent: Intent,
    by_release: bool = False,
) -> FlagConfiguration:
    """Replace a flag's configuration in one environment.

    Raises Forbidden without ``flag.edit`` (and ``flag.toggle`` where it turns on or off); Invalid
    when the document is, or refers to what is not there or makes a cycle; Conflict, with both
    sides, when it is no longer at ``expected_version``; Waiting where a policy wants others to
    agree first. A flag that is not introduced stays so unless the document turns it on
    or says ``introduced``: until then nobody notices what is saved. Rules by which releases serve
    some apart begin ``by_release`` alone, and are left out else.
    """
    _require(Permission.FLAG_EDIT, flag, environment, intent)
    current = _locked(flag, environment, intent)
    if not by_release:
        document = without_past_releases(document, current.document)
    wanted = configuration_from(_placed(document, current, intent), current.flag.definition)
    if current.version != expected_version:
        raise _conflict(current, document)
    _refuse_withdrawing(current, wanted, intent)
    if (wanted.enabled, wanted.introduced) != (current.enabled, current.introduced):
        _require(Permission.FLAG_TOGGLE, flag, environment, intent)
    if not current.flag.is_archived:
        referring.check_configuration(current.flag, current.environment, wanted)
    return _store(current, wanted, intent=intent)


@gated
def set_enabled(
    *,
    flag: Flag,
    environment: Environment,
    enabled: bool,
    intent: Intent,
    expected_version: int | None = None,
    introduce: bool = False,
) -> Switched:
    """Turn a flag on or off in one environment; doing it again changes nothing.

    Turning on introduces a flag that is not introduced there yet; with ``introduce`` turning off
    does so too, else there is nothing to turn off.

    Turning on serves whatever the targeting says, so the caller gives the version they looked at
    and gets a Conflict when it is another now. Turning off is always safe and never conflicts.
    Raises Forbidden without ``flag.toggle``, Waiting where a policy wants others to agree first.
    """
    _require(Permission.FLAG_TOGGLE, flag, environment, intent)
    current = _locked(flag, environment, intent)
    state = {"enabled": enabled}
    if introduce or enabled:
        state["introduced"] = True
        if expected_version not in (None, current.version):
            raise _conflict(current, {**current.document, **state})
    wanted = configuration_from({**current.document, **state}, current.flag.definition)
    previous_version = current.version
    return Switched(_store(current, wanted, intent=intent), previous_version)


def _placed(document: object, current: FlagConfiguration, intent: Intent) -> object:
    """The document with what it leaves out about being introduced; what is on is introduced, and
    so is what a request asks for that is edited: else nobody would have to agree to it."""
    if not isinstance(document, Mapping):
        return document
    introduced = document.get("introduced", current.introduced)
    if document.get("enabled") is True or intent.options.revise is not None:
        introduced = True
    return {**document, "introduced": introduced}


def _refuse_withdrawing(current: FlagConfiguration, wanted: Configuration, intent: Intent) -> None:
    """Only the end of an emergency takes an introduction back."""
    if current.introduced and not wanted.introduced and intent.options.undoing is None:
        raise Invalid.of(
            "introduced",
            _("This flag is introduced in {environment}: turn it off, or archive it."),
            environment=current.environment.name,
        )


def _locked(flag: Flag, environment: Environment, intent: Intent) -> FlagConfiguration:
    """The configuration as it is now, its environment's row locked against other writers.

    Nobody is served an archived flag, so nobody changes it; an emergency change ends all the same,
    so that it is not served once the flag is restored.
    """
    (locked,) = outbox.lock_environments([environment])
    current = locked.configurations.select_related("flag__project").get(flag=flag)
    if current.flag.is_archived and intent.options.undoing is None:
        raise Invalid({"": _("This flag is archived. Restore it first.")})
    return current


def _require(permission: Permission, flag: Flag, environment: Environment, intent: Intent) -> None:
    gate.require(intent, permission, project=flag.project, environment=environment)


def _store(
    current: FlagConfiguration, wanted: Configuration, *, intent: Intent
) -> FlagConfiguration:
    before, version = current.document, current.version
    current.set_configuration(wanted)
    after = current.document
    if same_document(after, before):
        return current
    brought = asked_along(current, after)
    _refuse_bringing(brought, current, intent)
    change = changes.configuration_change(current, before, version, brought)
    result, environment = gate.check(change, intent), current.environment
    keys = [current.flag.key, *(row.flag.key for row in brought)]
    current.version = outbox.advance(environment, kind=Named.FLAG, keys=keys, now=intent.at)
    current.updated_at = intent.at
    current.updated_by = intent.actor.label
    current.save()
    journal.write(change.entry(change_event(before, after), result, version=current.version))
    for row in brought:
        _introduce(row, environment, result.intent)
    return current


def asked_along(
    current: FlagConfiguration, wanted: Mapping[str, object]
) -> list[FlagConfiguration]:
    """The flags that a configuration to come asks, to the end, and that are not introduced there
    yet: they are introduced along with it."""
    found: list[FlagConfiguration] = []

    def add(keys: set[str]) -> set[str]:
        rows = FlagConfiguration.objects.select_related("flag__project").filter(
            environment=current.environment, introduced=False, flag__key__in=keys
        )
        found.extend(rows)
        return flags_named_in(row.document for row in rows)

    follow(flags_named_in([wanted] if wanted.get("introduced", True) else []), add)
    return sorted(found, key=lambda row: row.flag.key)


def _refuse_bringing(
    brought: Iterable[FlagConfiguration], current: FlagConfiguration, intent: Intent
) -> None:
    """A plan's agreement said nothing of these flags, and the end of an emergency would leave them
    there: then they come first, on their own."""
    names = ", ".join(row.flag.title for row in brought)
    if names and (intent.options.break_glass or intent.options.step is not None):
        raise Invalid.of(
            "",
            _("This depends on {flags}, not in {environment} yet. Introduce that first."),
            flags=names,
            environment=current.environment.name,
        )


def _introduce(row: FlagConfiguration, environment: Environment, intent: Intent) -> None:
    """Bring a flag along, for a change that has passed the gate and taken its version."""
    before = row.document
    row.introduced, row.version = True, environment.version
    row.updated_at, row.updated_by = intent.at, intent.actor.label
    row.save()
    row.environment = environment
    intent.record("flag.introduced", row, before=before, after=row.document)


def change_event(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """What to call the change: being introduced, else turned on or off, names it, whatever else
    came along."""
    if before.get("introduced", True) != after.get("introduced", True):
        return "flag.introduced" if after.get("introduced", True) else "flag.withdrawn"
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
