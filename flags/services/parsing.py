"""Documents from people, checked by the engine; its problems become errors people can read."""

from collections.abc import Callable
from typing import TypeVar

from flags.engine import (
    Configuration,
    DocumentError,
    FlagDefinition,
    Group,
    Segment,
    parse_configuration,
    parse_definition,
    parse_group,
    parse_segment,
)
from portal.lib.errors import Invalid

T = TypeVar("T")


def definition_from(document: object) -> FlagDefinition:
    """A valid definition, its values as its schema wants them.

    Raises Invalid with the path of each problem.
    """
    definition = _checked(lambda: parse_definition(document))
    if definition.json_schema is not None:
        # Few flags have one, and what it takes would be loaded into every process.
        from flags.services import schemas

        schemas.check_values(definition)
    return definition


def configuration_from(
    document: object, definition: FlagDefinition, *, under: str = ""
) -> Configuration:
    """A valid configuration. Raises Invalid with the path of each problem, below ``under``."""
    return _checked(lambda: parse_configuration(document, definition), under=under)


def segment_from(document: object) -> Segment:
    """A valid segment. Raises Invalid with the path of each problem."""
    return _checked(lambda: parse_segment(document))


def group_from(document: object) -> Group:
    """A valid exclusion group. Raises Invalid with the path of each problem."""
    return _checked(lambda: parse_group(document))


def _checked(parse: Callable[[], T], *, under: str = "") -> T:
    try:
        return parse()
    except DocumentError as error:
        problems = error.under(under) if under else error.problems
        raise Invalid({problem.path: problem.message for problem in problems}) from None
