"""Flags as the API answers them."""

from flags.models import Flag


def flag_document(flag: Flag) -> dict[str, object]:
    """The definition, and what there is to know about it."""
    return {
        **flag.document,
        "archived": flag.is_archived,
        "version": flag.version,
        "created_at": flag.created_at.isoformat(),
        "updated_at": flag.updated_at.isoformat(),
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
