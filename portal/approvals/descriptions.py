from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _, gettext_noop, ngettext

from portal.access.permissions import BuiltinRole
from portal.approvals.approval_status import EvidenceState
from portal.approvals.models import ChangeRequest, Policy
from portal.approvals.selectors import ALL_CHANGES, Assessment

_EVIDENCE = {
    EvidenceState.MISSING: gettext_noop("{environment}: evidence {kind} is missing."),
    EvidenceState.EXPIRED: gettext_noop("{environment}: evidence {kind} has expired."),
    EvidenceState.FAILED: gettext_noop("{environment}: evidence {kind} failed."),
    EvidenceState.OWN: gettext_noop(
        "{environment}: evidence {kind} comes from a requester's or editor's key. Another key has "
        "to post it, or another approver confirms that key."
    ),
}


def policy_sentence(policy: Policy) -> str:
    """What a policy wants, such as “2 approvals, among them senior_developer and devops_lead”."""
    text = ngettext("{n} approval", "{n} approvals", policy.required_approvals)
    text = text.format(n=policy.required_approvals)
    if policy.required_roles:
        roles = listed(map(role_label, policy.required_roles))
        text += _(", together covering {roles}").format(roles=roles)
    evidence = [kind for kind, scope in policy.evidence.items() if scope == ALL_CHANGES]
    if evidence:
        text += _(", and the evidence {kinds}").format(kinds=listed(evidence))
    return text


def policy_sentences(document: Mapping[str, Any]) -> list[str]:
    sentences = [_approvals_sentence(document)]
    for kind, scope in document["evidence"].items():
        text = _("Every change needs the evidence {kind}.")
        if scope != ALL_CHANGES:
            text = _("A change that ships an artefact needs the evidence {kind} about it.")
        sentences.append(text.format(kind=kind))
    if document["turning_off_needs_approval"]:
        sentences.append(_("Turning something off needs approval too."))
    else:
        sentences.append(_("Turning something off needs no approval."))
    sentences.append(_independence_sentence(document["independence_days"]))
    if not document["break_glass"]:
        return [*sentences, _("Nobody may break glass.")]
    text = _(
        "In an emergency, {names} may break glass: the change is made at once, reverts after "
        "{n} minutes unless somebody else confirms it, and is reviewed afterwards."
    )
    names = listed(map(role_label, document["break_glass"]))
    minutes = document["break_glass_minutes"]
    return [*sentences, text.format(names=names, n=minutes)]


def _independence_sentence(days: int) -> str:
    if not days:
        return _("People count apart from who gave them access at once.")
    text = ngettext(
        "For {n} day, people count as one with who gave them the account, a role that may "
        "approve, or a new password, unless another approver confirms them.",
        "For {n} days, people count as one with who gave them the account, a role that may "
        "approve, or a new password, unless another approver confirms them.",
        days,
    )
    return text.format(n=days)


def _approvals_sentence(document: Mapping[str, Any]) -> str:
    wanted = document["required_approvals"]
    text = ngettext(
        "{n} person has to approve, other than the requester and editors.",
        "{n} people have to approve, other than the requester and editors.",
        wanted,
    ).format(n=wanted)
    if document["required_roles"]:
        roles = listed(map(role_label, document["required_roles"]))
        text += " " + _("Together they must hold: {roles}.").format(roles=roles)
    return text


def unowned_sentence(request: ChangeRequest) -> str:
    if request.author_user_id is not None:
        return ""
    text = _("Requested by {name}, and nobody is responsible: somebody has to adopt it first.")
    return text.format(name=request.author)


def missing_in(request: ChangeRequest, assessments: Iterable[Assessment]) -> list[str]:
    unowned = unowned_sentence(request)
    lacking = [text for one in assessments for text in missing_sentences(one)]
    return [unowned, *lacking] if unowned else lacking


def missing_sentences(assessment: Assessment) -> list[str]:
    status, where = assessment.status, assessment.environment.name
    sentences = []
    if status.missing_approvals:
        text = ngettext(
            "{environment}: {n} more approval is needed.",
            "{environment}: {n} more approvals are needed.",
            status.missing_approvals,
        )
        sentences.append(text.format(environment=where, n=status.missing_approvals))
    if status.missing_roles:
        text = ngettext(
            "{environment}: nobody with the role {roles} has approved.",
            "{environment}: the roles {roles} have not approved.",
            len(status.missing_roles),
        )
        roles = listed(map(role_label, status.missing_roles))
        sentences.append(text.format(environment=where, roles=roles))
    for kind, state in status.missing_evidence.items():
        sentences.append(_(_EVIDENCE[state]).format(environment=where, kind=kind))
    return sentences


def role_label(name: str) -> str:
    """What people call a role: built-in ones by their label, others by their name."""
    return str(BuiltinRole(name).label) if name in BuiltinRole.values else name


def listed(names: Iterable[str]) -> str:
    """“a”, “a and b”, “a, b and c”."""
    *first, last = names
    return _("{first} and {last}").format(first=", ".join(first), last=last) if first else last


def policy_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    if not after:
        return [_("Changes no longer need approval.")]
    return [
        _("{field}: {after} instead of {before}.").format(
            field=_(label), before=_plain(before.get(name)), after=_plain(after[name])
        )
        for name, label in _FIELDS.items()
        if before.get(name) != after[name]
    ]


def field_names(fields: Iterable[str]) -> tuple[str, ...]:
    return tuple(_(_FIELDS[name]) for name in fields)


_FIELDS = {
    "required_approvals": gettext_noop("Approvals"),
    "required_roles": gettext_noop("Roles covered together"),
    "evidence": gettext_noop("Evidence"),
    "turning_off_needs_approval": gettext_noop("Turning off needs approval"),
    "break_glass": gettext_noop("Who may break glass"),
    "break_glass_minutes": gettext_noop("Minutes until an emergency change reverts"),
    "independence_days": gettext_noop("Days until people count apart from who gave them access"),
}


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, dict):
        value = [f"{kind} ({scope})" for kind, scope in sorted(value.items())]
    if isinstance(value, list):
        return ", ".join(role_label(str(name)) for name in value) or _("nobody")
    return str(value) if value not in (None, "") else _("nothing")
