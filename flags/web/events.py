"""Events about flags, in words, for the history."""

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from flags import selectors, wording
from flags.engine import (
    DocumentError,
    FlagDefinition,
    parse_configuration,
    parse_definition,
)
from portal.lib import wording as words
from portal.lib.wording import Recorded, Subject

EVENTS = {
    "flag.created": gettext_lazy("created the flag"),
    "flag.edited": gettext_lazy("edited the flag"),
    "flag.enabled": gettext_lazy("turned on"),
    "flag.disabled": gettext_lazy("turned off"),
    "flag.targeting_changed": gettext_lazy("changed the targeting of"),
    "flag.archived": gettext_lazy("archived the flag"),
    "flag.restored": gettext_lazy("restored the flag"),
    "environment.flags_started": gettext_lazy("gave every flag a configuration in"),
}


def register() -> None:
    """Tell the history how these events read."""
    words.register(
        events=EVENTS, subjects={"flag": Subject(gettext_lazy("flag"), _describe, _address)}
    )


def _address(event: Recorded) -> str:
    return reverse("flag", args=[event.project, event.subject]) if event.project else ""


def _describe(events: Sequence[Recorded]) -> list[list[str]]:
    definitions = selectors.definitions_of({(event.project, event.subject) for event in events})
    return [_changes(event, definitions.get((event.project, event.subject))) for event in events]


def _changes(event: Recorded, definition: FlagDefinition | None) -> list[str]:
    """The change in sentences. Variants may have changed since, so a document may not parse now."""
    before, after = event.before_document, event.after_document
    if event.event not in EVENTS or before is None or after is None or "archived" in after:
        return []
    try:
        if not event.environment:
            return wording.definition_changes(parse_definition(before), parse_definition(after))
        return _configuration_changes(before, after, definition) if definition else []
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
