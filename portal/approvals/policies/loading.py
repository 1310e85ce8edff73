"""Loading policies from a file: all of it or nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority, overview, selectors
from portal.access.models import ActionRule, Environment, Project
from portal.access.permissions import Permission
from portal.approvals.descriptions import policy_changes
from portal.approvals.errors import Waiting
from portal.approvals.models import Policy
from portal.approvals.policies.file import (
    NAME_LISTS,
    ROOT,
    EnvironmentPolicy,
    refuse,
    requirement_path,
    resolve,
)
from portal.approvals.policies.rules import complete
from portal.approvals.policies.services import names_for, set_policy
from portal.approvals.services.rights import reserve
from portal.lib.errors import Invalid
from portal.lib.journal import Intent


@dataclass(slots=True)
class Loaded:
    """What became of a file: sentences, each with its environment first.

    ``waiting`` are the change requests in which old policies are asked to be lowered; where there
    are any, nothing of the file was loaded.
    """

    changes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)


class _DryRun(Exception):
    """Undoes what was only tried."""


def load_policies(
    *,
    project: Project,
    file: Mapping[str, EnvironmentPolicy],
    intent: Intent,
    dry_run: bool = False,
) -> Loaded:
    """Load a parsed file into a project.

    Raises Forbidden without ``environment.configure`` in each environment named, and Invalid with
    the path in the file of what is wrong. What lowers a policy waits as a change request for the
    old one to approve; then nothing else is loaded either.
    """
    loaded, lowered = Loaded(), []
    try:
        with transaction.atomic():
            for environment, wanted in _places(project, file):
                lowered += _load(environment, wanted, loaded, intent=intent)
            if dry_run or lowered:
                raise _DryRun
    except _DryRun:
        pass
    if not dry_run:
        loaded.waiting = _file_requests(lowered)
    else:
        loaded.waiting = [one.waiting for one in lowered]
    return loaded


@dataclass(frozen=True, slots=True)
class _Lowered:
    """A policy or rule that cannot be set just so; ``again`` asks for it anew."""

    again: Callable[[], object]
    waiting: Waiting


def _load(
    environment: Environment, wanted: EnvironmentPolicy, loaded: Loaded, *, intent: Intent
) -> list[_Lowered]:
    lowered: list[_Lowered] = []
    for permission, names in wanted.reserved.items():
        path = wanted.paths[permission]
        ours = resolve(names, names_for(environment).known, path)
        try:
            loaded.changes += _reserve(environment, permission, ours, intent=intent)
        except Waiting as waiting:
            again = partial(_reserve, environment, permission, ours, intent=intent)
            lowered.append(_Lowered(again, waiting))
        loaded.warnings += _nobody_holds(environment, ours)
    if wanted.document is not None:
        lowered += _set(environment, wanted.document, loaded, intent=intent)
    return lowered


def _reserve(
    environment: Environment, permission: Permission, names: list[str], *, intent: Intent
) -> list[str]:
    rule = ActionRule.objects.filter(environment=environment, permission=permission).first()
    if rule and rule.roles == sorted(names):
        return []
    reserve(environment=environment, permission=permission, names=names, intent=intent)
    before = ", ".join(rule.roles) if rule else _("everyone with a role that permits it")
    text = _("{environment}: {permission} reserved for {names}, before {before}")
    listed = ", ".join(sorted(names))
    return [
        text.format(
            environment=environment.key, permission=permission.value, names=listed, before=before
        )
    ]


def _set(
    environment: Environment, document: dict[str, Any], loaded: Loaded, *, intent: Intent
) -> list[_Lowered]:
    known, key = names_for(environment).known, environment.key
    ours = document | {
        name: resolve(document[name], known, requirement_path(key, name))
        for name in NAME_LISTS
        if name in document
    }
    before = Policy.objects.filter(environment=environment).first()
    old, version = (before.document, before.version) if before else ({}, 0)
    changes = policy_changes(old, complete(ours))
    loaded.changes += [f"{key}: {one}" for one in changes]
    loaded.warnings += _nobody_holds(
        environment, [name for one in NAME_LISTS for name in ours.get(one, ())]
    )
    try:
        set_policy(environment=environment, document=ours, intent=intent)
    except Waiting as waiting:
        again = partial(
            set_policy,
            environment=environment,
            document=ours,
            expected_version=version,
            intent=intent,
        )
        return [_Lowered(again, waiting)]
    except Invalid as error:
        name, sentence = next(iter(error.problems.items()))
        refuse(requirement_path(key, name), sentence)
    return []


def _file_requests(lowered: Iterable[_Lowered]) -> list[Waiting]:
    """The requests anew: those that were filed while trying are undone with everything else."""
    waiting = []
    for one in lowered:
        try:
            one.again()
        except Waiting as error:
            waiting.append(error)
    return waiting


def _places(
    project: Project, file: Mapping[str, EnvironmentPolicy]
) -> list[tuple[Environment, EnvironmentPolicy]]:
    environments = {one.key: one for one in project.environments.all()}
    for key, wanted in file.items():
        if key not in environments:
            part = "approval_requirements" if not wanted.reserved else "environments"
            text = _("{project} has no environment {key}. It has: {known}.")
            known = ", ".join(environments)
            refuse(f"{ROOT}.{part}.{key}", text.format(project=project.key, key=key, known=known))
    return [(environments[key], wanted) for key, wanted in file.items()]


def _nobody_holds(environment: Environment, names: Iterable[str]) -> list[str]:
    project = environment.project
    people = list(selectors.members_of(project).filter(is_active=True))
    people += [user for group in project.groups.all() for user in group.members.all()]
    held = authority.role_assignments_of_all(people, project).values()
    taken = {name for one in held for name in one.names_in(environment.pk)}
    labels = overview.names_of(project)
    text = _("{environment}: nobody is {name} at present")
    return [
        text.format(environment=environment.key, name=labels.get(name, name))
        for name in names
        if name not in taken
    ]
