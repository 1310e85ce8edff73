"""What a schedule can do to a configuration, as a table. Pure: documents in, documents out."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.access.permissions import Permission
from portal.approvals.changes import canonical
from portal.lib.errors import AviaryError

Document = Mapping[str, Any]


class Halted(AviaryError):
    """A plan cannot go on by itself; ``ends`` where it never can again."""

    status = 409

    def __init__(self, text: str, *, ends: bool = False) -> None:
        super().__init__(text)
        self.ends = ends


@dataclass(frozen=True, slots=True)
class Operation:
    """``carry_out`` makes a configuration of the one there is and the schedule's document."""

    label: str | Promise
    permissions: tuple[Permission, ...]
    carry_out: Callable[[Document, Document], dict[str, Any]]
    turns_off: bool = False


def _turn_on(current: Document, _wish: Document) -> dict[str, Any]:
    return {**current, "enabled": True}


def _turn_off(current: Document, _wish: Document) -> dict[str, Any]:
    return {**current, "enabled": False}


def _set_percent(current: Document, wish: Document) -> dict[str, Any]:
    """Raises Halted where the rule is gone."""
    rules = [dict(rule) for rule in current.get("rules", [])]
    found = next((rule for rule in rules if rule["id"] == wish["rule"]), None)
    if found is None:
        raise Halted(_("The rule {rule} is no longer there.").format(rule=wish["rule"]))
    found["audience"] = {**found.get("audience", {}), "percent": wish["percent"]}
    return {**current, "rules": rules}


def _replace(current: Document, wish: Document) -> dict[str, Any]:
    """A document that does not say whether the flag is on leaves that as it is."""
    return {"enabled": current["enabled"], **wish["configuration"]}


OPERATIONS = {
    "turn_on": Operation(gettext_lazy("Turn on"), (Permission.FLAG_TOGGLE,), _turn_on),
    "turn_off": Operation(
        gettext_lazy("Turn off"), (Permission.FLAG_TOGGLE,), _turn_off, turns_off=True
    ),
    "percent": Operation(
        gettext_lazy("Set the share of a rule"), (Permission.FLAG_EDIT,), _set_percent
    ),
    "replace": Operation(
        gettext_lazy("Replace who gets what"),
        (Permission.FLAG_EDIT, Permission.FLAG_TOGGLE),
        _replace,
    ),
}


def targeting_digest(document: Document) -> str:
    """Who gets what, as a hash: whether the flag is on makes no difference."""
    targeting = {name: document[name] for name in document.keys() - {"enabled", "introduced"}}
    return hashlib.sha256(canonical(targeting).encode("utf-8", "surrogatepass")).hexdigest()
