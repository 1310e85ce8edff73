from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _, gettext_lazy

from flags.core import change_descriptions, changes, handlers, selectors
from flags.engine import (
    DocumentError,
    FlagDefinition,
    parse_configuration,
    parse_definition,
)
from portal.lib.subjects import Menu, Recorded, Subject, page_at

EVENTS = {
    "flag.created": gettext_lazy("created the flag"),
    "flag.edited": gettext_lazy("edited the flag"),
    "flag.enabled": gettext_lazy("turned on"),
    "flag.disabled": gettext_lazy("turned off"),
    "flag.targeting_changed": gettext_lazy("changed the targeting of"),
    "flag.introduced": gettext_lazy("introduced"),
    "flag.withdrawn": gettext_lazy("took back the introduction of"),
    "flag.archived": gettext_lazy("archived the flag"),
    "flag.restored": gettext_lazy("restored the flag"),
    "environment.flags_started": gettext_lazy("gave every flag a configuration in"),
    "flag.schedule_created": gettext_lazy("planned a change of"),
    "flag.schedule_paused": gettext_lazy("paused a schedule of"),
    "flag.schedule_resumed": gettext_lazy("resumed a schedule of"),
    "flag.schedule_cancelled": gettext_lazy("cancelled a schedule of"),
    "flag.schedule_was_so": gettext_lazy("was already applied to"),
    "flag.schedule_step_failed": gettext_lazy("could not carry out what was planned for"),
    "flag.schedule_held": gettext_lazy("is waiting to continue"),
    "flag.schedule_held_back": gettext_lazy("was paused on"),
    "flag.schedule_stopped": gettext_lazy("ended with"),
    "flag.ramp_created": gettext_lazy("planned a ramp of"),
    "flag.ramp_paused": gettext_lazy("paused a ramp of"),
    "flag.ramp_resumed": gettext_lazy("resumed a ramp of"),
    "flag.ramp_cancelled": gettext_lazy("cancelled a ramp of"),
    "flag.ramp_was_so": gettext_lazy("was already applied to"),
    "flag.ramp_step_failed": gettext_lazy("could not take a step of the ramp of"),
    "flag.ramp_held": gettext_lazy("is waiting to continue the ramp of"),
    "flag.ramp_held_back": gettext_lazy("was paused on the ramp of"),
    "flag.ramp_stopped": gettext_lazy("ended the ramp of"),
}
UNKNOWN_EVENTS = {
    "unknown_flag.ignored": gettext_lazy("ignored the unknown flag"),
    "unknown_flag.watched": gettext_lazy("stopped ignoring the unknown flag"),
}


def _describe(events: Sequence[Recorded]) -> list[list[str]]:
    definitions = selectors.definitions_of({(event.project, event.subject) for event in events})
    return [_changes(event, definitions.get((event.project, event.subject))) for event in events]


def _changes(event: Recorded, definition: FlagDefinition | None) -> list[str]:
    """The change in sentences. Variants may have changed since, so a document may not parse now."""
    before, after = event.before_document, event.after_document
    if after and "plan" in after and isinstance(after["words"], list):
        return [str(sentence) for sentence in after["words"]]
    if event.event not in EVENTS or before is None or after is None or "archived" in after:
        return []
    try:
        if not event.environment:
            return change_descriptions.definition_changes(
                parse_definition(before), parse_definition(after)
            )
        return _configuration_changes(before, after, definition) if definition else []
    except DocumentError:
        return [_("It refers to variants that the flag no longer has; see the documents.")]


def _configuration_changes(
    before: dict[str, Any], after: dict[str, Any], definition: FlagDefinition
) -> list[str]:
    sentences = change_descriptions.configuration_changes(
        parse_configuration(before, definition), parse_configuration(after, definition)
    )
    # The headline says already whether it was turned on or off.
    said = before["enabled"] != after["enabled"] and "introduced" not in before | after
    return sentences[1:] if said else sentences


def _restore(event: Recorded) -> tuple[str, dict[str, object]] | None:
    after = event.after_document or {}
    if event.event in ("flag.created", "flag.edited"):
        # What it answered from the start is of its environments, each with rows of its own.
        return changes.DEFINITION, {name: after[name] for name in after if name != "environments"}
    return (changes.CONFIGURATION, after) if "enabled" in after else None


FLAG = Subject(
    kind="flag",
    menu=Menu(10, gettext_lazy("Flags"), "flag", "flag-list", "/flag"),
    label=gettext_lazy("flag"),
    events=EVENTS,
    describe=_describe,
    address=page_at("flag", "subject"),
    restore=_restore,
    changes={
        changes.CONFIGURATION: handlers.CONFIGURATION,
        changes.DEFINITION: handlers.DEFINITION,
        changes.ARCHIVING: handlers.ARCHIVING,
    },
)
UNKNOWN_FLAG = Subject(
    kind="unknown_flag",
    label=gettext_lazy("unknown flag"),
    events=UNKNOWN_EVENTS,
    address=page_at("unknown-flag-list", "environment"),
)
