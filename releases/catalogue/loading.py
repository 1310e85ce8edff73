"""Loading the blocks of the deployment guide that a file has: all of them or nothing.

Who may deploy and who approves is read by portal.approvals; ``rollback_config`` becomes part of a
service's setup; and ``deployment_strategy_selection`` has to be the matrix that the advisor has.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access.models import Environment, Project
from portal.approvals.errors import Waiting
from portal.approvals.policies import file as policy_file
from portal.approvals.policies.loading import Loaded, load_policies
from portal.lib.errors import Invalid, refuse
from portal.lib.journal import Intent
from releases.catalogue import selectors, services
from releases.catalogue.descriptions import setup_changes
from releases.catalogue.models import Service
from releases.engine.advice import MATRIX

ROLLBACK, SELECTION = "rollback_config", "deployment_strategy_selection"
APPROVALS, CONTAINER = "approval_requirements", "container_deployment"
BLOCKS: Final = (policy_file.ROOT, APPROVALS, ROLLBACK, SELECTION, CONTAINER)
_FENCED: Final = re.compile(r"^```ya?ml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_KNOWN: Final = re.compile(rf"^({'|'.join(BLOCKS)}):", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LoadTarget:
    service: Service
    environment: Environment


def read_blocks(text: str, *, is_markdown: bool = False) -> Mapping[str, Any]:
    """The blocks of a file by their names; of Markdown, those among its YAML that are known.

    Raises Invalid.
    """
    if is_markdown:
        text = "\n".join(one for one in _FENCED.findall(text) if _KNOWN.search(one))
    return policy_file.read(text, BLOCKS)


def load_blocks(
    *,
    project: Project,
    blocks: Mapping[str, Any],
    place: LoadTarget | None,
    intent: Intent,
    dry_run: bool = False,
) -> tuple[Loaded, Waiting | None]:
    """Load blocks into a project; also the request as which ``rollback_config`` waits, if it does.

    Raises Invalid with the path of what is wrong, ``rollback_config`` without a place for it, and a
    matrix that is not the advisor's; Forbidden as load_policies.
    """
    refuse(dict(_other_advice(blocks.get(SELECTION, MATRIX))))
    if ROLLBACK in blocks and place is None:
        text = _("Say for which service, and where, with --service and --environment.")
        raise Invalid({ROLLBACK: text})
    file, waiting = policy_file.parse(_permissions(blocks)), None
    by: dict[str, Any] = {"project": project, "file": file, "intent": intent}
    loaded = load_policies(**by, dry_run=True)
    if loaded.waiting:
        return (loaded if dry_run else load_policies(**by)), None
    with transaction.atomic():
        changes: list[str] = []
        # First, as long as the policies of the file do not hold yet.
        if ROLLBACK in blocks and place is not None:
            waiting = _set_rollback(place, blocks[ROLLBACK], changes, intent)
        loaded = load_policies(**by)
        loaded.changes += changes
        transaction.set_rollback(dry_run)
    if CONTAINER in blocks:
        loaded.warnings.append(_("container_deployment is left out: templates are not kept yet"))
    return loaded, waiting


def _permissions(blocks: Mapping[str, Any]) -> dict[str, Any]:
    """The block of permissions; requirements may stand in it, or by themselves."""
    found = blocks.get(policy_file.ROOT, {})
    if APPROVALS not in blocks or not isinstance(found, dict):
        return found  # type: ignore[no-any-return]  # whatever it is, it is read next
    if APPROVALS in found:
        raise Invalid({APPROVALS: _("This stands in the file twice.")})
    return {**found, APPROVALS: blocks[APPROVALS]}


def _other_advice(block: object) -> Iterator[tuple[str, str]]:
    for path, named in _leaves(block).items():
        known = _leaves(MATRIX).get(path, _("nothing"))
        if str(named).removesuffix("_deployment") != known:
            text = _("The advisor says {known} here. A project has no matrix of its own yet.")
            yield f"{SELECTION}.{path}", text.format(known=known)


def _leaves(block: object, path: str = "") -> dict[str, object]:
    if not isinstance(block, Mapping):
        return {path: block}
    found: dict[str, object] = {}
    for name, one in block.items():
        found |= _leaves(one, f"{path}.{name}" if path else str(name))
    return found


def _set_rollback(
    place: LoadTarget, block: object, changes: list[str], intent: Intent
) -> Waiting | None:
    current = selectors.setup_of(place.service, place.environment)
    before = current.document if current else {}
    document = {"router": {"kind": "manual"}, **before, ROLLBACK: block}
    try:
        setup = services.put_setup(
            service=place.service,
            environment=place.environment,
            document=document,
            intent=intent,
        )
    except Waiting as waiting:
        return waiting
    if setup.document != before:
        where = f"{place.environment.key}, {place.service.key}"
        changes += [f"{where}: {one}" for one in setup_changes(before, setup.document)]
    return None
