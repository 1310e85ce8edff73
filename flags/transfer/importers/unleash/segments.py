"""Unleash's segments as segments of the project, which its strategies name.

Unleash knows them by numbers, which their descriptions keep here: so a segment is known again when
the next file brings it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from flags.transfer.importers.base import (
    Document,
    NotExpressible,
    PlannedDependencies,
    combine,
    quote,
    refuse,
)
from flags.transfer.importers.unleash.constraints import (
    NeverHolds,
    Object,
    objects_in,
    read_constraint,
)
from flags.transfer.importers.unleash.strategies import Segments

_MOST_CHARS: Final = 100


def read_segments(document: Object, planned: PlannedDependencies) -> Segments:
    """The conditions that stand for the file's segments, by their ids; those that hold are planned.

    Raises NotExpressible for one that is malformed.
    """
    found = dict(_read_all(document))
    segments: dict[int, Document | NeverHolds] = {}
    for identity, (node, condition) in sorted(found.items()):
        if isinstance(condition, NeverHolds):
            segments[identity] = condition
            continue
        key = _key(node, identity, planned.documents)
        planned.add(key, {"key": key, **_about(node, identity), "when": condition})
        segments[identity] = {"segment": key}
    return segments


def _read_all(document: Object) -> Iterator[tuple[int, tuple[Object, Document | NeverHolds]]]:
    for node, path in objects_in(document, "segments"):
        identity = node.get("id")
        if not isinstance(identity, int):
            refuse(f"{path}.id", f"expected a number, found {quote(identity)}")
        yield identity, (node, _read_segment(node, path))


def _read_segment(node: Object, path: str) -> Document | NeverHolds:
    try:
        constraints = objects_in(node, "constraints", f"{path}.")
        return combine([read_constraint(one, place) for one, place in constraints])
    except NeverHolds as never:
        return never
    except NotExpressible as error:
        return NeverHolds(str(error))


def _key(node: Object, identity: int, taken: Mapping[str, object]) -> str:
    """The segment's name as it may stand in an address, and the id with it where that is taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", _words(node.get("name")).lower()).strip("-")
    key = plain[:_MOST_CHARS].strip("-") or f"unleash-{quote(identity)}"
    while key in taken:
        key += f"-{quote(identity)}"
    return key


def _about(node: Object, identity: int) -> Document:
    name, told = (_words(node.get(field))[:200].strip() for field in ("name", "description"))
    description = f"Unleash segment {quote(identity)}"
    return {
        **({"name": name} if name else {}),
        "description": f"{description}: {told}" if told else description,
    }


def _words(text: object) -> str:
    words = " ".join(text.split()) if isinstance(text, str) else ""
    return words if words.isprintable() else ""
