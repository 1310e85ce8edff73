"""Documents from people, checked by the engine; its problems become errors people can read."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

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
from flags.engine.limits import COHORTS_RULE, PINS_RULE, TESTERS_RULE
from portal.lib.errors import Invalid

T = TypeVar("T")


def is_of_release(rule: object) -> bool:
    """Whether a rule, as a document, is one that a release sets and takes away."""
    key = rule.get("id") if isinstance(rule, Mapping) else None
    named = key in (COHORTS_RULE, TESTERS_RULE)
    return named or (isinstance(key, str) and key.startswith(PINS_RULE))


def definition_from(document: object) -> FlagDefinition:
    """A valid definition, its values as its schema wants them.

    Raises Invalid with the path of each problem.
    """
    definition = _checked(lambda: parse_definition(document))
    if definition.json_schema is not None:
        # Few flags have one, and what it takes would be loaded into every process.
        from flags.core import schemas

        schemas.check_values(definition)
    return definition


def configuration_from(
    document: object, definition: FlagDefinition, *, under: str = ""
) -> Configuration:
    """A valid configuration. Raises Invalid with the path of each problem, below ``under``."""
    return _checked(lambda: parse_configuration(document, definition), under=under)


def without_past_releases(document: object, current: Mapping[str, Any]) -> Any:
    """A document without the rules by which releases serve some apart, but for those
    that the ``current`` configuration has: they come and go with their release. A copy, an old
    version or a file that was made while one moved would serve them for good."""
    rules = document.get("rules") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(rules, list | tuple):
        return document
    there = [rule["id"] for rule in current["rules"]]
    kept = [rule for rule in rules if not is_of_release(rule) or rule["id"] in there]
    return document if len(kept) == len(rules) else {**document, "rules": kept}


def segment_from(document: object) -> Segment:
    return _checked(lambda: parse_segment(document))


def group_from(document: object) -> Group:
    return _checked(lambda: parse_group(document))


def _checked(parse: Callable[[], T], *, under: str = "") -> T:
    try:
        return parse()
    except DocumentError as error:
        problems = error.under(under) if under else error.problems
        raise Invalid({problem.path: problem.message for problem in problems}) from None
