from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy

from portal.access.permissions import BuiltinRole
from portal.lib import subjects
from portal.lib.subjects import Menu, Recorded, Subject, page_at


def _first_page(event: Recorded) -> str:
    return reverse(subjects.menu()[0].page, args=[event.project]) if event.project else ""


def _each(events: Sequence[Recorded]) -> list[list[str]]:
    return [_sentences(event) for event in events]


def _sentences(event: Recorded) -> list[str]:
    before, after = event.before_document or {}, event.after_document or {}
    shown = after or before
    if "role" in shown:
        return _role(before.get("role"), after.get("role"), shown.get("environment"))
    if "member" in shown:
        return [_("It is about {name}.").format(name=shown["member"])]
    if event.subject_kind == "key" and {"name", "kind"} <= shown.keys():
        return [_("“{name}”, a {kind} key.").format(name=shown["name"], kind=shown["kind"])]
    if event.subject_kind == "key" and isinstance(shown.get("evidence"), list):
        kinds = ", ".join(sorted(listed(after.get("evidence"))))
        return [_("It may post the evidence {kinds}.").format(kinds=kinds or _("none"))]
    return [_("A site administrator.")] if shown.get("site_administrator") else []


def _role(before: object, after: object, environment: object) -> list[str]:
    if before and after:
        return [_("{after} instead of {before}.").format(before=before, after=after)]
    key = str(after or before)
    role = str(BuiltinRole(key).label if key in BuiltinRole.values else key)
    role = role[:1].upper() + role[1:]
    if environment == "all":
        return [_("{role} in all environments.").format(role=role)]
    if environment:
        return [_("{role} in {environment}.").format(role=role, environment=environment)]
    return [f"{role}."]


def listed(names: object) -> set[str]:
    return {str(name) for name in names} if isinstance(names, list) else set()


SUBJECTS = (
    Subject(
        kind="user",
        menu=Menu(80, gettext_lazy("Members"), "users", "member-list"),
        label=gettext_lazy("person"),
        events={
            "user.created": gettext_lazy("created the account"),
            "user.password_changed": gettext_lazy("changed the password"),
            "user.proof_failed": gettext_lazy("gave a wrong password, signed in as"),
            "user.signed_in": gettext_lazy("signed in"),
            "user.signed_out": gettext_lazy("signed out"),
            "member.role_set": gettext_lazy("set the role"),
            "grant.given": gettext_lazy("gave a role to"),
            "grant.revoked": gettext_lazy("took a role away from"),
            "member.removed": gettext_lazy("removed the member"),
            "approver.confirmed": gettext_lazy("confirmed as a separate person"),
        },
        describe=_each,
        address=page_at("member-list"),
    ),
    Subject(
        kind="group",
        label=gettext_lazy("group"),
        events={
            "group.created": gettext_lazy("created the group"),
            "group.edited": gettext_lazy("renamed the group"),
            "group.deleted": gettext_lazy("deleted the group"),
            "group.member_added": gettext_lazy("added someone to the group"),
            "group.member_removed": gettext_lazy("took someone out of the group"),
        },
        describe=_each,
        address=page_at("group-list"),
    ),
    Subject(
        kind="invitation",
        label=gettext_lazy("invitation"),
        events={
            "invitation.created": gettext_lazy("made the invitation"),
            "invitation.accepted": gettext_lazy("accepted the invitation"),
            "invitation.revoked": gettext_lazy("took back the invitation"),
        },
        describe=_each,
        address=page_at("invitation-list"),
    ),
    Subject(
        kind="key",
        menu=Menu(70, gettext_lazy("API keys"), "key", "key-list"),
        label=gettext_lazy("API key"),
        events={
            "key.created": gettext_lazy("created the API key"),
            "key.edited": gettext_lazy("edited the API key"),
            "key.revoked": gettext_lazy("revoked the API key"),
            "key.evidence_set": gettext_lazy("changed what evidence may be posted by the API key"),
            "key.evidence_confirmed": gettext_lazy("confirmed the evidence of the API key"),
        },
        describe=_each,
        address=page_at("key-list"),
    ),
    Subject(
        kind="project",
        label=gettext_lazy("project"),
        events={
            "project.created": gettext_lazy("created the project"),
            "project.context_sampling_changed": gettext_lazy("changed what is kept of requests in"),
            "project.naming_rule_changed": gettext_lazy("changed how flags are named in"),
            "project.edited": gettext_lazy("renamed the project"),
        },
        describe=_each,
        address=_first_page,
    ),
    Subject(
        kind="environment",
        menu=Menu(50, gettext_lazy("Environments"), "stack-2", "environment-list"),
        label=gettext_lazy("environment"),
        events={
            "environment.edited": gettext_lazy("renamed the environment"),
            "environment.created": gettext_lazy("created the environment"),
            "environment.governed": gettext_lazy("set the first approval policy of"),
            "environment.epoch_renewed": gettext_lazy("renewed the epoch of the environment"),
        },
        describe=_each,
        address=page_at("environment-list"),
    ),
)
