"""Flags as the API answers them."""

from flags.models import Flag
from flags.selectors import FlagPage
from portal.lib.api_query import encode_cursor


def flag_document(flag: Flag) -> dict[str, object]:
    """The definition, and what there is to know about it."""
    return {
        **flag.document,
        "archived": flag.is_archived,
        "version": flag.version,
        "created_at": flag.created_at.isoformat(),
        "updated_at": flag.updated_at.isoformat(),
    }


def page_document(page: FlagPage) -> dict[str, object]:
    """One page of a list; ``next`` is the cursor of the one after it."""
    return {
        "flags": [flag_document(flag) for flag in page.flags],
        "next": encode_cursor(page.next_after),
        "total": page.total,
    }


def merge_patch(current: object, patch: object) -> object:
    """``current`` as ``patch`` changes it, by RFC 7396: null removes, objects merge."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(current) if isinstance(current, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
