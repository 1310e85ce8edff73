"""Events about people, projects, environments and keys, in words."""

from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib import wording
from portal.lib.wording import Recorded, Subject

EVENTS = {
    "user.created": gettext_lazy("created the account"),
    "user.password_changed": gettext_lazy("changed the password"),
    "user.signed_in": gettext_lazy("signed in"),
    "user.signed_out": gettext_lazy("signed out"),
    "member.role_set": gettext_lazy("set the role"),
    "member.removed": gettext_lazy("removed the member"),
    "key.created": gettext_lazy("created the API key"),
    "key.revoked": gettext_lazy("revoked the API key"),
    "project.created": gettext_lazy("created the project"),
    "environment.created": gettext_lazy("created the environment"),
    "environment.epoch_renewed": gettext_lazy("renewed the epoch of the environment"),
}


def register() -> None:
    """Tell the history how these events read."""
    wording.register(
        events=EVENTS,
        subjects={
            "user": Subject(gettext_lazy("person"), _each, _page_of("member-list")),
            "key": Subject(gettext_lazy("API key"), _each, _page_of("key-list")),
            "project": Subject(gettext_lazy("project"), _each, _page_of("flag-list")),
            "environment": Subject(
                gettext_lazy("environment"), _each, _page_of("environment-list")
            ),
        },
    )


def _page_of(name: str) -> wording.Address:
    def address(event: Recorded) -> str:
        return reverse(name, args=[event.project]) if event.project else ""

    return address


def _each(events: Sequence[Recorded]) -> list[list[str]]:
    return [_sentences(event) for event in events]


def _sentences(event: Recorded) -> list[str]:
    before, after = event.before_document or {}, event.after_document or {}
    if "role" in before or "role" in after:
        return _role(before.get("role"), after.get("role"))
    shown = after or before
    if event.subject_kind == "key" and {"name", "kind"} <= shown.keys():
        return [_("“{name}”, a {kind} key.").format(name=shown["name"], kind=shown["kind"])]
    if shown.get("site_administrator"):
        return [_("A site administrator.")]
    return []


def _role(before: object, after: object) -> list[str]:
    if before and after:
        return [_("{after} instead of {before}.").format(before=before, after=after)]
    return [str(after or before).capitalize() + "."]
