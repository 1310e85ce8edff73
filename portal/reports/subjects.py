from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.subjects import Menu, Recorded, Subject, page_at


def _each(events: Sequence[Recorded]) -> list[list[str]]:
    return [_sentences(event.after_document or {}) for event in events]


def _sentences(told: dict[str, object]) -> list[str]:
    if "what" in told:
        return [_("{holder}: {what}, {where}.").format(**told)]
    if "confirmed" in told:
        return [_("{confirmed} of {items} confirmed, {taken_away} taken away.").format(**told)]
    return [_("{items} roles and keys to look at.").format(items=told.get("items", 0))]


RECERTIFICATION = Subject(
    kind="recertification",
    menu=Menu(100, gettext_lazy("Reports"), "report", "report-list"),
    label=gettext_lazy("recertification"),
    events={
        "recertification.started": gettext_lazy("started the recertification"),
        "recertification.confirmed": gettext_lazy("confirmed in the recertification"),
        "recertification.revoked": gettext_lazy("took away in the recertification"),
        "recertification.signed_off": gettext_lazy("signed off the recertification"),
    },
    describe=_each,
    address=page_at("recertification"),
)
