"""The import itself: lock, decide, store, record; or do all of it and take it back."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from django.db import transaction
from django.utils.translation import gettext as _

from flags.importers import (
    ImportPlan,
    Refused,
    UnknownBucketing,
    UnknownFormat,
    plan_import,
)
from flags.services.importing.asking import Reached, import_change, reached_by
from flags.services.importing.cohorts import beside_present
from flags.services.importing.deciding import REPLACE, Decision, decide
from flags.services.importing.place import Place
from flags.services.importing.report import ImportReport
from flags.services.importing.storing import record, store, store_cohorts
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals import gate
from portal.approvals.services import gated
from portal.lib.errors import Conflict, Invalid
from portal.lib.intent import Intent

MODES = ("merge", REPLACE)


def import_document(
    *,
    format_name: str,
    document: object,
    environment: Environment,
    mode: str,
    dry_run: bool,
    intent: Intent,
    bucketing: str | None = None,
) -> ImportReport:
    """Import a file that has been parsed; see import_flags.

    Raises Invalid where the format or, for a file of flagd's, the ``bucketing`` is unknown, or the
    file as a whole is not what it should be.
    """
    try:
        plan = plan_import(format_name, document, environment=environment.key, bucketing=bucketing)
    except UnknownFormat as error:
        raise Invalid({"format": str(error)}) from None
    except UnknownBucketing as error:
        raise Invalid({"bucketing": str(error)}) from None
    except Refused as error:
        raise Invalid({"": str(error)}) from None
    return import_flags(
        environment=environment, plan=plan, mode=mode, dry_run=dry_run, intent=intent
    )


@gated
def import_flags(
    *,
    environment: Environment,
    plan: ImportPlan,
    mode: str,
    dry_run: bool,
    intent: Intent,
    base_version: str | None = None,
) -> ImportReport:
    """Create and change flags as planned; one version per environment, audit rows per flag.

    The file's segments and exclusion groups, each with a version of its own kind, come first: they
    are the project's, so every environment gets them, and none is ever deleted.
    New flags are off in every other environment, and not introduced where a policy stands. Only
    this environment's configurations change;
    a flag whose new definition would break another environment's is skipped. Mode "replace"
    also turns off, in this environment only, the flags that the file does not have: they keep
    their targeting, and nothing is archived or deleted. Flags that are skipped are left alone.
    A dry run does all of it and takes it back, and asks nobody for approval.

    Raises Forbidden without ``flag.edit`` (``flag.toggle`` where a flag goes on or off,
    ``segment.edit`` in the whole project where a segment or a group is created or changed); for a
    key also where it would change what applications get beyond its environment;
    Invalid for an unknown mode; Conflict where the project is no longer at ``base_version``;
    Waiting where a policy wants others to agree first.
    """
    project = environment.project
    require = partial(gate.require, intent, project=project, environment=environment)
    require(Permission.FLAG_EDIT)
    if mode not in MODES:
        raise Invalid({"mode": _("Choose one of: {modes}.").format(modes=", ".join(MODES))})
    place = Place.load(environment, intent.at)
    version = place.environment.version
    if base_version is not None and base_version != place.base_version:
        raise Conflict(_("Flags were changed meanwhile."), current={}, yours={"mode": mode})
    plan = beside_present(place, plan)
    decision = decide(place, plan, replace=mode == REPLACE)
    _require_more(decision, require)
    why = " ".join(filter(None, [intent.reason, f"import ({plan.source})"]))
    intent = replace(intent, reason=why)
    reached = reached_by(place, decision)
    _require_beyond(reached, partial(gate.require_in_each, intent, project=project))
    if reached.agreeing and not dry_run:
        change = import_change(place, plan, mode, decision, reached)
        intent = gate.check(change, intent).intent
    store_cohorts(place, decision.cohorts, intent)
    store(place, decision.changes, intent.actor)
    record(place, decision.changes, intent)
    decision.report.dry_run = dry_run
    decision.report.version = version if dry_run else place.environment.version
    if dry_run:
        transaction.set_rollback(True)
    return decision.report


def _require_beyond(reached: Reached, require_in_each: Callable[..., None]) -> None:
    require_in_each(Permission.FLAG_EDIT, environments=reached.definitions)
    require_in_each(Permission.SEGMENT_EDIT, environments=reached.cohorts)


def _require_more(decision: Decision, require: Callable[..., None]) -> None:
    """What only some imports take. Segments and groups are the project's, not an environment's."""
    if decision.toggles:
        require(Permission.FLAG_TOGGLE)
    if decision.cohorts.differ:
        require(Permission.SEGMENT_EDIT, environment=None)
