"""What a policy may say, and which of two wants less. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django.utils.translation import gettext as _

from portal.access.permissions import Permission

MOST_APPROVALS = 20
MINUTES = range(5, 24 * 60 + 1)
DAYS = range(90 + 1)
SCOPES = ("all", "artefacts")
DEFAULTS: Mapping[str, Any] = {
    "required_roles": [],
    "evidence": {},
    "turning_off_needs_approval": False,
    "break_glass": [],
    "break_glass_minutes": 60,
    "independence_days": 30,
}
_EVIDENCE_KIND = re.compile(r"[a-z][a-z0-9_]{0,49}\Z")


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a policy of one environment can use.

    ``roles`` maps roles to what they permit there; ``groups`` are the project's groups.
    """

    roles: Mapping[str, frozenset[Permission]]
    groups: frozenset[str] = frozenset()

    @property
    def known(self) -> frozenset[str]:
        return frozenset(self.roles) | self.groups


@dataclass(slots=True)
class _PolicyCheck:
    document: Mapping[str, Any]
    names: Names
    problems: dict[str, str] = field(default_factory=dict)

    def approvals(self) -> None:
        value = self.document.get("required_approvals")
        if not _is_whole(value) or not 1 <= cast(int, value) <= MOST_APPROVALS:
            text = _(
                "A policy requires between 1 and {most} approvals; for none, leave the policy out."
            )
            self.problems["required_approvals"] = text.format(most=MOST_APPROVALS)

    def roles(self) -> None:
        if not self._name_list("required_roles"):
            return
        for name in self.document["required_roles"]:
            permitted = self.names.roles.get(name)
            if permitted is not None and Permission.CHANGE_REQUEST_APPROVE not in permitted:
                text = _(
                    "This can never be satisfied: the role {name} cannot approve changes here."
                )
                self.problems["required_roles"] = text.format(name=name)

    def glass(self) -> None:
        self._name_list("break_glass")
        minutes = self.document["break_glass_minutes"]
        if not _is_whole(minutes) or minutes not in MINUTES:
            text = _("Choose between {least} and {most} minutes.")
            text = text.format(least=MINUTES[0], most=MINUTES[-1])
            self.problems["break_glass_minutes"] = text

    def days(self) -> None:
        days = self.document["independence_days"]
        if not _is_whole(days) or days not in DAYS:
            text = _("Choose between {least} and {most} days.")
            text = text.format(least=DAYS[0], most=DAYS[-1])
            self.problems["independence_days"] = text

    def evidence(self) -> None:
        evidence = self.document["evidence"]
        if not isinstance(evidence, dict):
            self.problems["evidence"] = _("Map each kind of evidence to all or artefacts.")
            return
        for kind, scope in evidence.items():
            if not _EVIDENCE_KIND.match(kind):
                text = _("{kind} is no kind of evidence; use a name like security_scan.")
                self.problems["evidence"] = text.format(kind=kind)
            elif scope not in SCOPES:
                text = _("Say all or artefacts for {kind}.")
                self.problems["evidence"] = text.format(kind=kind)

    def switch(self) -> None:
        if not isinstance(self.document["turning_off_needs_approval"], bool):
            self.problems["turning_off_needs_approval"] = _("Say true or false.")

    def _name_list(self, path: str) -> bool:
        names = self.document[path]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self.problems[path] = _("List names of roles or groups.")
            return False
        twice = sorted({name for name in names if names.count(name) > 1})
        unknown = [name for name in names if name not in self.names.known]
        if twice:
            self.problems[path] = _("{names} stands there twice.").format(names=", ".join(twice))
        elif unknown:
            text = _("There is no role or group called {names}. There are: {known}.")
            self.problems[path] = text.format(
                names=", ".join(unknown), known=", ".join(sorted(self.names.known))
            )
        return path not in self.problems


def complete(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**DEFAULTS, **document}


def problems_of(document: Mapping[str, Any], names: Names) -> dict[str, str]:
    """What is wrong with a complete policy document: path -> one sentence each."""
    unknown = sorted(set(document) - {"required_approvals", *DEFAULTS})
    if unknown:
        text = _("A policy has no {names}.").format(names=", ".join(unknown))
        return {unknown[0]: text}
    check = _PolicyCheck(document, names)
    checks = (check.approvals, check.roles, check.evidence, check.switch, check.glass, check.days)
    for one in checks:
        one()
    return check.problems


def is_lowering(before: Mapping[str, Any], after: Mapping[str, Any] | None) -> bool:
    """Whether ``after`` lets anything pass that ``before`` did not; None stands for no policy."""
    if after is None:
        return True
    kept = {
        kind: scope == "artefacts" or after["evidence"].get(kind) == "all"
        for kind, scope in before["evidence"].items()
        if kind in after["evidence"]
    }
    return bool(
        after["required_approvals"] < before["required_approvals"]
        or set(before["required_roles"]) - set(after["required_roles"])
        or set(before["evidence"]) - set(kept)
        or not all(kept.values())
        or (before["turning_off_needs_approval"] and not after["turning_off_needs_approval"])
        or set(after["break_glass"]) - set(before["break_glass"])
        or (after["break_glass"] and after["break_glass_minutes"] > before["break_glass_minutes"])
        or after["independence_days"] < before["independence_days"]
    )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
