"""How the documents of flags, segments and exclusion groups are merged (see portal.lib.merging).

Rules are the same by their id, individual users by their key, prerequisites and slots by their
flag, variants by their key, everything else by its name.
"""

from functools import partial
from typing import Any, Final

from portal.lib import merging
from portal.lib.merging import MISSING, Merging, Parts, Place, by_identity, sides


def _prerequisites(merging: Merging, base: Any, theirs: Any, mine: Any, place: Place) -> Any:
    return merging.listed((base, theirs, mine), "flag", Merging.whole, place[0]) or MISSING


def _targets(merging: Merging, base: Any, theirs: Any, mine: Any, place: Place) -> Any:
    """User by user; whoever comes in goes to the first target of the variant."""
    if _equal(theirs, base) or _equal(theirs, mine):
        return mine
    if _equal(mine, base):
        return theirs
    old, new, own = (_individuals(one) for one in (base, theirs, mine))
    found = {
        key: merging.whole(*sides(key, old, new, own), (place[0], key, ""))
        for key in dict.fromkeys([*own, *new])
    }
    keys: dict[str, list[str]] = {}
    for key, variant in found.items():
        if variant is not MISSING:
            keys.setdefault(variant, []).append(key)
    return [{"variant": variant, "keys": users} for variant, users in keys.items()]


def _equal(one: Any, other: Any) -> bool:
    """Variants and users are texts, so that Python's own equality will do."""
    return one is other or (MISSING not in (one, other) and one == other)


def _individuals(targets: Any) -> dict[str, str]:
    known = () if targets is MISSING else targets
    return {key: target["variant"] for target in known for key in target["keys"]}


CONFIGURATION: Final[Parts] = {
    "rules": by_identity("id", Merging.fields),
    "prerequisites": _prerequisites,
    "targets": _targets,
}
DEFINITION: Final[Parts] = {
    "variants": by_identity("key", Merging.fields),
    "tags": Merging.members,
    "metadata": Merging.fields,
}
GROUP: Final[Parts] = {"slots": by_identity("flag", Merging.whole)}

merge = partial(merging.merge, parts=CONFIGURATION)


def merge_keys(
    base: frozenset[str], theirs: frozenset[str], mine: frozenset[str]
) -> frozenset[str]:
    """A list of keys with what each side added and without what each removed."""
    return (mine & (theirs | (mine - base))) | (theirs - base)
