"""Taking the parts of a toggle out of JSON, each with a name for the report if it is wrong."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from flags.importers.base import quote, refuse

Object: TypeAlias = Mapping[str, Any]


class NeverHolds(ValueError):
    """A strategy that matches nobody in Unleash, whatever else it says; the text is the reason."""


def objects_in(parent: Object, field: str, path: str = "") -> Iterator[tuple[Object, str]]:
    """The objects of a list, each with its path; none where the list is missing or null."""
    for index, item in enumerate(list_in(parent, field, path)):
        place = f"{path}{field}[{index}]"
        if not isinstance(item, Mapping):
            refuse(place, f"expected an object, found {quote(item)}")
        yield item, place


def list_in(parent: Object, field: str, path: str = "") -> list[Any]:
    """A list; an empty one where it is missing or null."""
    found = parent.get(field)
    if found is None:
        return []
    if not isinstance(found, list):
        refuse(f"{path}{field}", f"expected a list, found {quote(found)}")
    return found


def text_in(parent: Object, field: str, path: str = "") -> str:
    """A text that has to be there."""
    found = parent.get(field)
    if not isinstance(found, str):
        refuse(f"{path}{field}", f"expected a text, found {quote(found)}")
    return found


def switch_in(parent: Object, field: str, path: str = "", *, default: bool | None = False) -> bool:
    """True or false; ``default`` where it is missing or null, which None forbids."""
    found = default if parent.get(field) is None else parent[field]
    if not isinstance(found, bool):
        refuse(f"{path}{field}", f"expected true or false, found {quote(found)}")
    return found


def texts_in(parent: Object, field: str, path: str = "") -> list[str]:
    """A list of texts, numbers written out as Unleash would have them."""
    return [
        written(item, f"{path}{field}[{index}]")
        for index, item in enumerate(list_in(parent, field, path))
    ]


def written(value: object, path: str) -> str:
    """A text, or a number as one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        refuse(path, f"expected a text, found {quote(value)}")
    return str(value)
