"""The events of approvals in words, for the history and the pages of those below."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.approvals.wording import policy_changes, role_label
from portal.lib import wording
from portal.lib.wording import Recorded, Subject

EVENTS = {
    "change_request.opened": gettext_lazy("asked for change request"),
    "change_request.edited": gettext_lazy("edited change request"),
    "change_request.adopted": gettext_lazy("adopted change request"),
    "change_request.approved": gettext_lazy("approved change request"),
    "change_request.rejected": gettext_lazy("rejected change request"),
    "change_request.vote_withdrawn": gettext_lazy("took the vote back on change request"),
    "change_request.commented": gettext_lazy("commented on change request"),
    "change_request.applied": gettext_lazy("applied change request"),
    "change_request.withdrawn": gettext_lazy("withdrew change request"),
    "change_request.held": gettext_lazy("left for after the freeze change request"),
    "change_request.not_applied": gettext_lazy("could not apply change request"),
    "break_glass.used": gettext_lazy("broke the glass for emergency change"),
    "break_glass.confirmed": gettext_lazy("confirmed emergency change"),
    "break_glass.reverted": gettext_lazy("took back emergency change"),
    "break_glass.not_reverted": gettext_lazy("could not take back emergency change"),
    "break_glass.stuck": gettext_lazy("cannot yet take back emergency change"),
    "break_glass.reviewed": gettext_lazy("reviewed emergency change"),
    "evidence.posted": gettext_lazy("posted evidence about"),
    "policy.set": gettext_lazy("set the approval policy of"),
    "policy.removed": gettext_lazy("removed the approval policy of"),
    "freeze.created": gettext_lazy("planned freeze"),
    "freeze.edited": gettext_lazy("changed freeze"),
    "freeze.cancelled": gettext_lazy("cancelled freeze"),
    "freeze.overridden": gettext_lazy("went on in spite of freeze"),
}


def register() -> None:
    """Tell the history how the events of approvals read, and where their subjects are."""
    wording.register(
        events=EVENTS,
        subjects={
            "change_request": Subject(
                gettext_lazy("change request"), _each, _page_of("change-request")
            ),
            "policy": Subject(gettext_lazy("approval policy"), _each, _page_of("policy")),
            "freeze": Subject(gettext_lazy("freeze"), _each, _freezes),
            "evidence": Subject(gettext_lazy("evidence"), _each),
        },
    )


def _page_of(name: str) -> wording.Address:
    return lambda event: reverse(name, args=[event.project, event.subject])


def _freezes(event: Recorded) -> str:
    return reverse("freeze-list", args=[event.project])


def _each(events: Sequence[Recorded]) -> list[list[str]]:
    return [list(_sentences(event)) for event in events]


def _sentences(event: Recorded) -> Iterator[str]:
    before, after = event.before_document or {}, event.after_document or {}
    if event.subject_kind == "policy":
        yield from policy_changes(before, after)
    if event.event == "evidence.posted":
        text = _("{kind}: {result}, until {expires_at}.")
        yield text.format(**{"kind": "", "result": "", "expires_at": ""} | after)
    yield from _named(after or before)
    yield from _agreed(after)


def _named(document: Mapping[str, Any]) -> Iterator[str]:
    """What it is about, by its title or name, and what somebody wrote."""
    for key in ("name", "freeze", "title", "text", "review"):
        if isinstance(document.get(key), str) and document[key]:
            yield document[key]
    words = document.get("words")
    yield from words if isinstance(words, list) else []
    for sentence in document.get("kept") or ():
        yield _("Others changed this as well, so theirs stays: {what}.").format(what=sentence)


def _agreed(document: Mapping[str, Any]) -> Iterator[str]:
    """Who approved, with which roles."""
    for one in document.get("approved_by") or ():
        roles = ", ".join(role_label(str(name)) for name in one["roles"])
        yield _("Approved by {person} ({roles}).").format(person=one["person"], roles=roles)
