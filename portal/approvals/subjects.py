from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy

from portal.access.subjects import listed
from portal.approvals.descriptions import policy_changes, role_label
from portal.approvals.policies import services as policies
from portal.approvals.services import rights
from portal.lib.subjects import Address, Menu, Recorded, Restore, Subject


def _page_of(name: str) -> Address:
    return lambda event: reverse(name, args=[event.project, event.subject])


def _of_project(name: str) -> Address:
    return lambda event: reverse(name, args=[event.project]) if event.project else ""


def _each(events: Sequence[Recorded]) -> list[list[str]]:
    return [list(_sentences(event)) for event in events]


def _sentences(event: Recorded) -> Iterator[str]:
    before, after = event.before_document or {}, event.after_document or {}
    if event.subject_kind == "policy":
        yield from policy_changes(before, after)
    if event.subject_kind == "role":
        yield from _permissions(before, after)
    if event.subject_kind == "rule":
        yield _reserved(after.get("roles"))
    if event.event == "evidence.posted":
        text = _("{kind}: {result}, until {expires_at}.")
        yield text.format(**{"kind": "", "result": "", "expires_at": ""} | after)
    yield from _named(after or before)
    yield from _agreed(after)


def _named(document: Mapping[str, Any]) -> Iterator[str]:
    for key in ("name", "freeze", "title", "text", "review"):
        if isinstance(document.get(key), str) and document[key]:
            yield document[key]
    words = document.get("words")
    yield from words if isinstance(words, list) else []
    for sentence in document.get("kept") or ():
        yield _("Others changed this as well, so theirs stays: {what}.").format(what=sentence)


def _agreed(document: Mapping[str, Any]) -> Iterator[str]:
    for one in document.get("approved_by") or ():
        roles = ", ".join(role_label(str(name)) for name in one["roles"])
        yield _("Approved by {person} ({roles}).").format(person=one["person"], roles=roles)


def _permissions(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    old, new = (listed(one.get("permissions")) for one in (before, after))
    sentences = {
        _("It permits {names}."): sorted(new - old),
        _("It no longer permits {names}."): sorted(old - new),
    }
    return [text.format(names=", ".join(names)) for text, names in sentences.items() if names]


def _reserved(names: object) -> str:
    if not isinstance(names, list):
        return _("Everyone with a role that permits it can.")
    return _("Reserved for {names}.").format(names=", ".join(map(str, names)))


def _restore(change: str) -> Restore:
    return lambda event: (change, event.after_document) if event.after_document else None


SUBJECTS = (
    Subject(
        kind="change_request",
        menu=Menu(
            40,
            gettext_lazy("Changes"),
            "git-pull-request",
            "change-request-list",
            count="change-request-waiting",
        ),
        label=gettext_lazy("change request"),
        events={
            "change_request.opened": gettext_lazy("opened change request"),
            "change_request.edited": gettext_lazy("edited change request"),
            "change_request.adopted": gettext_lazy("adopted change request"),
            "change_request.approved": gettext_lazy("approved change request"),
            "change_request.rejected": gettext_lazy("rejected change request"),
            "change_request.vote_withdrawn": gettext_lazy("took the vote back on change request"),
            "change_request.commented": gettext_lazy("commented on change request"),
            "change_request.applied": gettext_lazy("applied change request"),
            "change_request.withdrawn": gettext_lazy("withdrew change request"),
            "change_request.held": gettext_lazy("put off until after the freeze: change request"),
            "change_request.not_applied": gettext_lazy("could not apply change request"),
            "break_glass.used": gettext_lazy("broke the glass for emergency change"),
            "break_glass.confirmed": gettext_lazy("confirmed emergency change"),
            "break_glass.reverted": gettext_lazy("reverted emergency change"),
            "break_glass.not_reverted": gettext_lazy("could not revert emergency change"),
            "break_glass.stuck": gettext_lazy("cannot yet revert emergency change"),
            "break_glass.reviewed": gettext_lazy("reviewed emergency change"),
        },
        describe=_each,
        address=_page_of("change-request"),
    ),
    Subject(
        kind="policy",
        label=gettext_lazy("approval policy"),
        events={
            "policy.set": gettext_lazy("set the approval policy of"),
            "policy.removed": gettext_lazy("removed the approval policy of"),
        },
        describe=_each,
        address=_page_of("policy"),
        restore=lambda event: (policies.POLICY, event.after_document or {}),
        changes={policies.POLICY: policies.HANDLER},
    ),
    Subject(
        kind="freeze",
        menu=Menu(60, gettext_lazy("Freezes"), "snowflake", "freeze-list"),
        label=gettext_lazy("freeze"),
        events={
            "freeze.created": gettext_lazy("planned freeze"),
            "freeze.edited": gettext_lazy("changed freeze"),
            "freeze.cancelled": gettext_lazy("cancelled freeze"),
            "freeze.overridden": gettext_lazy("overrode freeze"),
            "freeze.line_stopped": gettext_lazy("stopped the line by freeze"),
            "freeze.line_lifted": gettext_lazy("lifted the stopped line of freeze"),
        },
        describe=_each,
        address=_of_project("freeze-list"),
    ),
    Subject(
        kind="evidence",
        label=gettext_lazy("evidence"),
        events={"evidence.posted": gettext_lazy("posted evidence about")},
        describe=_each,
    ),
    Subject(
        kind="role",
        label=gettext_lazy("role"),
        events={
            "role.created": gettext_lazy("created the role"),
            "role.edited": gettext_lazy("edited the role"),
            "role.deleted": gettext_lazy("deleted the role"),
        },
        describe=_each,
        address=_of_project("role-list"),
        restore=_restore(rights.ROLE),
        changes={rights.ROLE: rights.ROLE_HANDLER},
    ),
    Subject(
        kind="rule",
        menu=Menu(90, gettext_lazy("Access"), "shield-check", "access-matrix"),
        label=gettext_lazy("reservation"),
        events={"rule.changed": gettext_lazy("changed who may use")},
        describe=_each,
        address=_of_project("access-matrix"),
        restore=lambda event: (rights.RULE, event.after_document or {"roles": None}),
        changes={rights.RULE: rights.RULE_HANDLER},
    ),
)
