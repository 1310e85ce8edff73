"""The three parsers of documents, and good documents to damage."""

from collections.abc import Callable
from typing import Any

import pytest

from flags.engine import (
    DocumentError,
    Problem,
    compile_flag,
    parse_configuration,
    parse_definition,
)
from tests.flags.engine.documents import BOOLEAN, configuration, environment

DEFINITION = parse_definition(BOOLEAN)
PARSERS: dict[str, Callable[[Any], object]] = {
    "definition": parse_definition,
    "configuration": lambda document: parse_configuration(document, DEFINITION),
    "environment": compile_flag,
}
BASES = {"definition": BOOLEAN, "configuration": configuration(), "environment": environment()}


def refuse(parser: str, document: object) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        PARSERS[parser](document)
    return caught.value


def find_problems(parser: str, document: object) -> tuple[Problem, ...]:
    """Nothing for a document that is read; whatever else is raised goes through."""
    try:
        PARSERS[parser](document)
    except DocumentError as error:
        return error.problems
    return ()
