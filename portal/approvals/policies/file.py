"""Policies as a file says them: which roles may deploy where, and who has to agree. Pure.

It is the block of the deployment guide::

    deployment_permissions:
      environments:
        production:
          deploy: [devops_team]
          rollback: [devops_team, on_call_engineer]
      approval_requirements:
        production:
          required_approvals: 2
          required_roles: [senior_developer, devops_lead]
          security_scan: required

What it does not mention stays as it is.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from django.utils.translation import gettext as _

from portal.access.permissions import RESERVABLE, Permission
from portal.lib.errors import Invalid

ROOT: Final = "deployment_permissions"
ACTIONS: Final = {"deploy": Permission.RELEASE_DEPLOY, "rollback": Permission.RELEASE_ROLLBACK}
# What the guide calls teams are roles here, unless the project has a group of that very name.
ALIASES: Final = {"developers": "developer", "qa_team": "qa", "devops_team": "devops"}
# A scan belongs to an artefact; only where a file insists does a change without one need it too.
EVIDENCE: Final = {"required": "artefacts", "required_for_every_change": "all", "optional": None}
NAME_LISTS: Final = ("required_roles", "break_glass")
PLAIN: Final = (
    "required_approvals",
    "turning_off_needs_approval",
    "break_glass_minutes",
    "independence_days",
)


@dataclass(slots=True)
class EnvironmentPolicy:
    """What it says about one environment; names as it spells them, ``document`` None for none.

    ``reserved`` maps permissions to names, with the path of each in ``paths``.
    """

    reserved: dict[Permission, list[str]] = field(default_factory=dict)
    document: dict[str, Any] | None = None
    paths: dict[Permission, str] = field(default_factory=dict)


def parse(block: object) -> dict[str, EnvironmentPolicy]:
    """What the block says, by the keys of environments. Raises Invalid, naming the path."""
    parts = _mapping(block, ROOT, {"environments", "approval_requirements"})
    found: dict[str, EnvironmentPolicy] = {}
    path = f"{ROOT}.environments"
    for key, actions in _mapping(parts.get("environments", {}), path).items():
        _read_actions(found.setdefault(key, EnvironmentPolicy()), actions, f"{path}.{key}")
    path = f"{ROOT}.approval_requirements"
    for key, wanted in _mapping(parts.get("approval_requirements", {}), path).items():
        policy = found.setdefault(key, EnvironmentPolicy())
        policy.document = _document(wanted, f"{path}.{key}")
    return found


def resolve(names: list[str], known: Collection[str], path: str) -> list[str]:
    """Names of a file as names of the project. Raises Invalid for unknown and repeated ones."""
    found: list[str] = []
    for name in names:
        ours = name if name in known else ALIASES.get(name, name)
        if ours not in known:
            text = _("There is no role or group called {name}. There are: {known}.")
            refuse(path, text.format(name=name, known=", ".join(sorted(known))))
        if ours in found:
            refuse(path, _("{name} stands there twice.").format(name=name))
        found.append(ours)
    return found


def requirement_path(environment: str, name: str = "") -> str:
    path = f"{ROOT}.approval_requirements.{environment}"
    return f"{path}.{name}" if name else path


def refuse(path: str, text: str) -> None:
    raise Invalid({path: text})


class _Loader(yaml.SafeLoader):
    """Refuses a name that stands twice in one mapping, of which YAML would keep the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(
                None, None, "a name stands twice in one mapping", node.start_mark
            )
        return mapping


def read(text: str, blocks: Collection[str]) -> Mapping[str, Any]:
    """The blocks of a file by their names. Raises Invalid for others, and for invalid YAML."""
    return _mapping(_yaml(text), "", blocks)


def _yaml(text: str) -> object:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - it is a SafeLoader
    except RecursionError:
        refuse("", _("The file is nested too deep."))
    except (yaml.YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or _("not readable")
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        refuse("", _("This is not valid YAML: {problem}.").format(problem=f"{problem}{place}"))
    return None


def _mapping(value: object, path: str, known: Collection[str] = ()) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        refuse(path, _("Write names with something below each of them here."))
    assert isinstance(value, dict)
    unknown = sorted(set(value) - set(known)) if known else []
    if unknown:
        text = _("There is no {name} here; there can be: {known}.")
        refuse(path, text.format(name=unknown[0], known=", ".join(sorted(known))))
    return value


def _read_actions(policy: EnvironmentPolicy, actions: object, path: str) -> None:
    for action, names in _mapping(actions, path).items():
        here = f"{path}.{action}"
        permission = ACTIONS.get(action) or _permission(action, here)
        if permission in policy.reserved:
            refuse(here, _("{name} stands there twice.").format(name=permission.value))
        policy.reserved[permission] = _names(names, here)
        policy.paths[permission] = here
        if not policy.reserved[permission]:
            refuse(here, _("Name at least one role or group, or leave the line out."))


def _permission(action: str, path: str) -> Permission:
    known = sorted(str(one) for one in RESERVABLE)
    if action not in known:
        text = _("There is no action {name} to reserve. There are: {known}.")
        refuse(path, text.format(name=action, known=", ".join([*ACTIONS, *known])))
    return Permission(action)


def _document(wanted: object, path: str) -> dict[str, Any]:
    given = _mapping(wanted, path)
    document: dict[str, Any] = {name: given[name] for name in PLAIN if name in given}
    document |= {n: _names(given[n], f"{path}.{n}") for n in NAME_LISTS if n in given}
    if "required_approvals" not in given:
        refuse(path, _("Say how many required_approvals it takes."))
    evidence = {}
    for kind in sorted(set(given) - {*PLAIN, *NAME_LISTS}):
        scope = given[kind]
        if not isinstance(scope, str) or scope not in EVIDENCE:
            text = _("For evidence write one of: {known}. Nothing else is called {name}.")
            refuse(f"{path}.{kind}", text.format(name=kind, known=", ".join(EVIDENCE)))
        if EVIDENCE[scope]:
            evidence[kind] = EVIDENCE[scope]
    return document | {"evidence": evidence}


def _names(value: object, path: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        refuse(path, _("List names of roles or groups, such as [developers, qa_team]."))
    assert isinstance(value, list)
    return value
