from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.subjects import Menu, Recorded, Subject


def _describe(events: Sequence[Recorded]) -> list[list[str]]:
    return [_sentences(event.after_document or {}) for event in events]


def _sentences(document: dict[str, object]) -> list[str]:
    rows, filters = document.get("rows"), document.get("filters")
    if rows is None or not isinstance(filters, dict):
        return []
    narrowed = ", ".join(f"{name}: {value}" for name, value in filters.items())
    return [_("{rows} rows; {filters}.").format(rows=rows, filters=narrowed or _("no filter"))]


AUDIT = Subject(
    kind="audit",
    menu=Menu(110, gettext_lazy("History"), "history", "history", permission="audit_view"),
    label=gettext_lazy("history"),
    events={
        "audit.exported": gettext_lazy("exported the history as"),
        "audit.purged": gettext_lazy("purged the history"),
        "audit.state_kept": gettext_lazy("kept, before a purge, the state of"),
    },
    describe=_describe,
)
