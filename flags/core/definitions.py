import contextlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from flags.core import changes, naming
from flags.core.parsing import configuration_from, definition_from
from flags.core.selectors import refuse_moved
from flags.engine import (
    DocumentError,
    FlagDefinition,
    Named,
    default_configuration,
    parse_configuration,
    variants_of,
)
from flags.models import Flag, FlagConfiguration
from flags.references import dependants, effects, referring
from flags.references.effects import advance_everywhere
from portal.access import authority, outbox
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.approvals import gate, selectors as approvals
from portal.approvals.changes import same_document
from portal.approvals.services import gated
from portal.lib import journal
from portal.lib.errors import Conflict, Invalid, refuse
from portal.lib.journal import Intent

Document = Mapping[str, Any]


def new_salt() -> str:
    return secrets.token_hex(4)


@transaction.atomic
def create_flag(*, project: Project, document: object, intent: Intent) -> Flag:
    """Create a flag, off in every environment; where a policy stands it is not introduced yet.

    Raises Forbidden without ``flag.edit``; Invalid when the definition is, or the key is taken.
    """
    authority.require(intent.actor, Permission.FLAG_EDIT, project=project)
    definition = definition_from(document)
    environments = outbox.lock_project(project)
    naming.require_key(naming.rule_of(project), definition.key)
    if Flag.objects.filter(project=project, key=definition.key).exists():
        raise Invalid({"key": _("There is a flag with this key already; choose another.")})
    naming.refuse_alike(Flag.objects.filter(project=project), definition.key)
    flag = Flag(project=project, created_at=intent.at, updated_at=intent.at)
    flag.set_definition(definition)
    flag.save()
    governed = approvals.policies_of(environments)
    started = [
        add_configuration(flag, one, definition, introduced=one.pk not in governed, now=intent.at)
        for one in environments
    ]
    advance_everywhere(flag, environments, now=intent.at)
    documents = {one.environment.key: one.document for one in started}
    intent.record("flag.created", flag, after={**flag.document, "environments": documents})
    return flag


def add_configuration(
    flag: Flag,
    environment: Environment,
    definition: FlagDefinition,
    *,
    introduced: bool,
    now: datetime,
) -> FlagConfiguration:
    configuration = FlagConfiguration(flag=flag, environment=environment, updated_at=now)
    configuration.set_configuration(default_configuration(definition, salt=new_salt()))
    configuration.introduced = introduced
    configuration.save()
    return configuration


def on_environment_created(*, environment: Environment, now: datetime, **_signal: Any) -> None:
    """Give every flag of the project a configuration in its new environment.

    No policy stands there yet. One row of the history holds them all: what flags answered there
    follows from history alone.
    """
    flags = Flag.objects.filter(project=environment.project)
    started = [
        add_configuration(flag, environment, flag.definition, introduced=True, now=now)
        for flag in flags
    ]
    if started:
        Intent(journal.system("new environment"), at=now).record(
            "environment.flags_started",
            environment,
            after={"flags": {one.flag.key: one.document for one in started}},
        )


@gated
def edit_flag(*, flag: Flag, document: object, expected_version: int, intent: Intent) -> Flag:
    """Change what a flag is: its name, variants, tags and so on, but not its key or value type.

    Raises Forbidden, for a key also where it would change what applications get beyond its
    environment; Invalid when the definition is, or an environment serves a variant that it no
    longer has; Conflict when the flag is no longer at ``expected_version``; Waiting where it
    changes what applications get and a policy there wants others to agree first.
    """
    gate.require(intent, Permission.FLAG_EDIT, project=flag.project)
    environments = outbox.lock_project(flag.project)
    flag = Flag.objects.select_related("project").get(pk=flag.pk)
    before = flag.document
    definition = definition_from(document)
    if flag.version != expected_version:
        raise Conflict(
            changed_meanwhile(),
            current=before,
            yours=dict(document) if isinstance(document, dict) else {},
        )
    _refuse_another_identity(flag, definition)
    if intent.options.undoing is None:  # then the variants in use stay
        _refuse_breaking(flag, definition)
    flag.set_definition(definition)
    if same_document(flag.document, before):
        return flag
    places = effects.of_definition(flag, before, environments)
    gate.require_in_each(intent, Permission.FLAG_EDIT, environments=places, project=flag.project)
    change = changes.definition_change(flag, before, places)
    result = gate.check(change, intent)
    flag.version += 1
    flag.updated_at = intent.at
    flag.save()
    if not flag.is_archived:
        advance_everywhere(flag, environments, now=intent.at)
    journal.write(change.entry("flag.edited", result))
    return flag


@gated
def archive_flag(*, flag: Flag, intent: Intent) -> None:
    """Take a flag out of use: evaluators stop answering it. It keeps its configuration.

    Raises Forbidden without ``flag.archive``, for a key in each environment that answers it; InUse
    where other flags ask it; Invalid where a release moves it; Waiting where a policy there wants
    others to agree first.
    """
    _set_archived(flag, archived=True, intent=intent)


@gated
def restore_flag(*, flag: Flag, intent: Intent) -> None:
    """Bring an archived flag back, just as it was.

    Raises Forbidden, Waiting, and Invalid where what it refers to has gone meanwhile.
    """
    _set_archived(flag, archived=False, intent=intent)


def _set_archived(flag: Flag, *, archived: bool, intent: Intent) -> None:
    gate.require(intent, Permission.FLAG_ARCHIVE, project=flag.project)
    environments = outbox.lock_project(flag.project)
    current = Flag.objects.select_related("project").get(pk=flag.pk)
    if current.is_archived == archived:
        return  # already up to date
    _check_references(current, archived=archived)
    if archived:
        for environment in environments:
            refuse_moved(current, environment)
    places = effects.of_archiving(current, environments)
    gate.require_in_each(intent, Permission.FLAG_ARCHIVE, environments=places, project=flag.project)
    change = changes.archiving_change(current, archived, places)
    result = gate.check(change, intent)
    archived_at = intent.at if archived else None
    Flag.objects.filter(pk=flag.pk).update(
        archived_at=archived_at, updated_at=intent.at, version=F("version") + 1
    )
    advance_everywhere(flag, environments, now=intent.at)
    journal.write(change.entry("flag.archived" if archived else "flag.restored", result))


def _check_references(flag: Flag, *, archived: bool) -> None:
    """What others refer to stays, and what comes back may have lost what it refers to."""
    if not archived:
        referring.check_restored(flag)
        return
    text = _("Other flags depend on this one: {uses}. Remove it there first.")
    referring.refuse_unless_unused(flag.project, Named.FLAG, flag.key, text)


def changed_meanwhile() -> str:
    return _("Someone changed this flag while you were editing it.")


def _refuse_another_identity(flag: Flag, definition: FlagDefinition) -> None:
    fixed = {"key": _("A flag keeps its key."), "value_type": _("A flag keeps its value type.")}
    wrong = {
        field: text
        for field, text in fixed.items()
        if str(getattr(definition, field)) != getattr(flag, field)
    }
    refuse(wrong)


def first_possible(flag: Flag, states: Sequence[Document]) -> Document:
    """The first of some definitions that the flag can have: with the variants that are in use, and
    if need be without the schema, which nobody is served. The first of all where none will do."""
    for keeps_schema in (True, False):
        for state in states:
            document = {**state, "variants": [*state["variants"], *_missing_in(state, flag)]}
            if not keeps_schema:
                document.pop("json_schema", None)
            possible = Flag(pk=flag.pk, project=flag.project)
            with contextlib.suppress(Invalid):
                possible.set_definition(definition_from(document))
                return possible.document
    return states[0]


def _missing_in(state: Document, flag: Flag) -> list[Document]:
    """The variants of a flag that a state has not, and that something serves or names."""
    kept = {variant["key"] for variant in state["variants"]}
    gone = [variant for variant in flag.variants if variant["key"] not in kept]
    served = _served(flag) if gone else set()
    return [one for one in gone if served is None or one["key"] in served or _is_named(flag, one)]


def _served(flag: Flag) -> set[str] | None:
    found = {key for keys, _who in referring.kept_variants(flag) for key in keys}
    for row in _states(flag):
        try:
            served = variants_of(parse_configuration(row.document, flag.definition))
        except DocumentError:
            served = None
        if served is None:
            return None
        found |= served
    return found


def _is_named(flag: Flag, variant: Document) -> bool:
    return bool(dependants.uses_of(flag.project, Named.FLAG, flag.key, variants=[variant["key"]]))


def _refuse_breaking(flag: Flag, definition: FlagDefinition) -> None:
    """Every environment's configuration, and what other flags name, must still be there."""
    referring.refuse_removing_variants(flag, [variant.key for variant in definition.variants])
    referring.refuse_changing_kept(flag, definition)
    problems: dict[str, str] = {}
    for row in _states(flag):
        try:
            under = f"environments.{row.environment.key}"
            configuration_from(row.document, definition, under=under)
        except Invalid as error:
            problems |= error.problems
    refuse(problems)


def _states(flag: Flag) -> Iterator[FlagConfiguration]:
    return chain(_configurations(flag), dependants.going_back(flag.project, flag))


def _configurations(flag: Flag) -> Iterable[FlagConfiguration]:
    return FlagConfiguration.objects.filter(flag=flag).select_related("environment")
