"""Segments of another product give way to those that a project has: they are spelled out then.

A native file is this product's own, and says what its segments are to be. Of another product's
file a segment may just happen to be called like one here; then whoever it is about must not change
for the flags that name the one here, nor for those that the file brings.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flags.importers.base import ImportPlan, PlannedCohorts, listed

_NOTE = "the project has other segments of these keys; flags get the conditions themselves: "


def give_way(plan: ImportPlan, present: Mapping[str, Mapping[str, Any]]) -> ImportPlan:
    """The plan without the segments that are others here.

    ``present`` are those here by their keys, as the history keeps them. What an import brought
    before is known again by where it says that it comes from, and changed. One that is the same is
    referred to, and keeps what people call it.
    """
    if plan.source == "native":
        return plan
    kept = PlannedCohorts(skipped=plan.segments.skipped)
    spelled_out: dict[str, object] = {}
    for key, document in plan.segments.documents.items():
        here = present.get(key)
        if here is None or _is_from_there(document, here):
            kept.add(key, document)
        elif _is_same(document, here):
            kept.add(key, {"key": key, "when": document["when"]})
        else:
            spelled_out[key] = document["when"]
    notes = [_NOTE + listed(sorted(spelled_out))] if spelled_out else []
    flags = (
        [
            replace(flag, configuration=_replaced(flag.configuration, spelled_out))
            for flag in plan.flags
        ]
        if spelled_out
        else plan.flags
    )
    return replace(plan, flags=flags, segments=kept, notes=plan.notes + notes)


def _is_from_there(wanted: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    return _origin(wanted) == _origin(here) and not _has_lists(here)


def _is_same(wanted: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    return bool(wanted["when"] == here["when"]) and not _has_lists(here)


def _has_lists(segment: Mapping[str, Any]) -> bool:
    """Another product's have none: somebody here made it another one."""
    return bool(segment["included"]["count"] or segment["excluded"]["count"])


def _origin(document: Mapping[str, Any]) -> str:
    """``Unleash segment 7``; what is told of it there comes after a colon."""
    return str(document["description"]).partition(":")[0]


def _replaced(document: Any, conditions: Mapping[str, object]) -> Any:
    if isinstance(document, Mapping):
        if set(document) == {"segment"}:
            return conditions.get(document["segment"], document)
        return {name: _replaced(one, conditions) for name, one in document.items()}
    if isinstance(document, list):
        return [_replaced(one, conditions) for one in document]
    return document
