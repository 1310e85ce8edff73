from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from portal.access.permissions import Permission
from portal.approvals.policy_rules import DEFAULTS, Names
from portal.lib.numbers import read_whole
from portal.lib.web.pages import read_form, texts

KNOWN_EVIDENCE = ("security_scan", "performance_test")
_FIELDS = {
    **texts("approvals", "minutes", "days", "turning_off"),
    "evidence": [texts("kind", "scope")],
}


@dataclass(frozen=True, slots=True)
class Choice:
    name: str
    ticked: bool
    is_group: bool


@dataclass(frozen=True, slots=True)
class PolicyForm:
    """What the inputs hold. ``left_out`` are roles that could never satisfy a policy here."""

    approvals: object
    roles: list[Choice]
    left_out: list[str]
    evidence: list[tuple[str, str]]
    turning_off: bool
    glass: list[Choice]
    minutes: object
    days: object


def filled(document: Mapping[str, Any] | None, names: Names) -> PolicyForm:
    """The form for a document; for None, a proposal for who has no policy yet."""
    values = {"required_approvals": 1, **DEFAULTS, **(document or {})}
    wanted = values["required_roles"]
    approving = [
        name
        for name, held in names.roles.items()
        if Permission.CHANGE_REQUEST_APPROVE in held or name in wanted
    ]
    kinds = [*KNOWN_EVIDENCE, *(kind for kind in values["evidence"] if kind not in KNOWN_EVIDENCE)]
    return PolicyForm(
        approvals=values["required_approvals"],
        roles=_choices([*approving, *sorted(names.groups)], wanted, names),
        left_out=[name for name in names.roles if name not in approving],
        evidence=[(kind, values["evidence"].get(kind, "")) for kind in kinds],
        turning_off=values["turning_off_needs_approval"],
        glass=_choices([*names.roles, *sorted(names.groups)], values["break_glass"], names),
        minutes=values["break_glass_minutes"],
        days=values["independence_days"],
    )


def read(posted: QueryDict) -> dict[str, Any]:
    """The document that was filled in; what is no number stays a text, for the rules to refuse."""
    form = read_form(posted.items(), _FIELDS)
    evidence = {
        row["kind"].strip(): row.get("scope", "")
        for row in form.get("evidence", [])
        if row.get("kind", "").strip() and row.get("scope")
    }
    return {
        "required_approvals": _whole(form.get("approvals", "")),
        "required_roles": posted.getlist("roles"),
        "evidence": evidence,
        "turning_off_needs_approval": form.get("turning_off") == "1",
        "break_glass": posted.getlist("glass"),
        "break_glass_minutes": _whole(form.get("minutes", "")),
        "independence_days": _whole(form.get("days", "")),
    }


def _choices(known: list[str], ticked: list[str], names: Names) -> list[Choice]:
    gone = [name for name in ticked if name not in known]
    return [Choice(name, name in ticked, name in names.groups) for name in [*known, *gone]]


def _whole(text: str) -> int | str:
    number = read_whole(text.strip(), most=999_999)
    return text.strip() if number is None else number
