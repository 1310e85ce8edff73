from collections.abc import Sequence

from django.utils.translation import gettext as _, gettext_lazy

from portal.lib.subjects import Recorded, Subject, page_at

EVENTS = {
    "release_group.planned": gettext_lazy("planned release group"),
    "release_group.started": gettext_lazy("started release group"),
    "release_group.paused": gettext_lazy("paused release group"),
    "release_group.resumed": gettext_lazy("resumed release group"),
    "release_group.promoted": gettext_lazy("promoted release group"),
    "release_group.failed": gettext_lazy("began to take back release group"),
    "release_group.aborted": gettext_lazy("aborted release group"),
    "release_group.rolled_back": gettext_lazy("rolled back release group"),
}


def _describe(events: Sequence[Recorded]) -> list[list[str]]:
    return [_sentences(event.after_document or {}) for event in events]


def _sentences(after: dict[str, object]) -> list[str]:
    name, titles = str(after.get("name", "")), _names(after)
    found = [_("{name}: {titles}.").format(name=name, titles=titles) if titles else f"{name}."]
    if failed := after.get("failed"):
        found.append(_("{title} failed, so the others go back.").format(title=failed))
    stay = after.get("stay")
    text = _("{title} stays: its watch is over.")
    return [*found, *(text.format(title=one) for one in (stay if isinstance(stay, list) else ()))]


def _names(after: dict[str, object]) -> str:
    members = after.get("members")
    return ", ".join(str(one) for one in members) if isinstance(members, list) else ""


RELEASE_GROUP = Subject(
    kind="release_group",
    label=gettext_lazy("release group"),
    events=EVENTS,
    describe=_describe,
    address=page_at("release-group", "subject"),
)
