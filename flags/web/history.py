"""What happened to a flag: its part of the audit trail, newest first."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from flags import wording
from flags.engine import (
    DocumentError,
    FlagDefinition,
    parse_configuration,
    parse_definition,
)
from flags.models import Flag
from flags.web.finding import find_flag
from flags.web.rows import FlagRow
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.audit import selectors as audit
from portal.audit.models import AuditEvent
from portal.lib.htmx import render_page

PAGE_SIZE = 50
EVENT_WORDS = {
    "flag.created": gettext_lazy("created the flag"),
    "flag.edited": gettext_lazy("edited the flag"),
    "flag.enabled": gettext_lazy("turned it on"),
    "flag.disabled": gettext_lazy("turned it off"),
    "flag.targeting_changed": gettext_lazy("changed the targeting"),
    "flag.archived": gettext_lazy("archived the flag"),
    "flag.restored": gettext_lazy("restored the flag"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One event in words."""

    event: AuditEvent
    words: str
    changes: list[str]


@require_safe
@project_page(Permission.AUDIT_VIEW)
def flag_history(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    events = audit.events_of(scope.project, subject_kind="flag", subject=key)
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit():
        events = events.filter(sequence__lt=int(before[:18]))
    found = list(events[: PAGE_SIZE + 1])
    context = {
        "scope": scope,
        "flag": flag,
        "row": FlagRow(flag),
        "tab": "history",
        "lines": [_line(event, flag) for event in found[:PAGE_SIZE]],
        "next_before": found[PAGE_SIZE - 1].sequence if len(found) > PAGE_SIZE else None,
    }
    return render_page(request, "flags/history.html", "flags/_history.html", context)


def _line(event: AuditEvent, flag: Flag) -> Line:
    words = str(EVENT_WORDS.get(event.event, event.event))
    return Line(event, words, _changes(event, flag.definition))


def _changes(event: AuditEvent, definition: FlagDefinition) -> list[str]:
    """The change in sentences. Variants may have changed since, so a document may not parse now."""
    before, after = event.before_document, event.after_document
    if before is None or after is None or "archived" in after:
        return []
    try:
        if event.environment:
            return _configuration_changes(before, after, definition)
        return wording.definition_changes(parse_definition(before), parse_definition(after))
    except DocumentError:
        return [_("It refers to variants that the flag no longer has; see the documents.")]


def _configuration_changes(
    before: dict[str, Any], after: dict[str, Any], definition: FlagDefinition
) -> list[str]:
    sentences = wording.configuration_changes(
        parse_configuration(before, definition), parse_configuration(after, definition)
    )
    # The headline says already whether it was turned on or off.
    return sentences[1:] if before["enabled"] != after["enabled"] else sentences
