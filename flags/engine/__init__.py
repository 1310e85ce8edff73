"""The flag engine: documents in, answers out. Pure: no I/O, no clock, no randomness.

Three kinds of documents, all plain JSON-like dicts: the flag's *definition*, its *configuration*
in one environment, and the *environment document*, the two merged for evaluators.

    definition = parse_definition(json_object)
    configuration = parse_configuration(json_object, definition)
    document = environment_document(definition, configuration, version=7)
    result = compile_flag(document).evaluate({"targetingKey": "u-1", "country": "DE"})
"""

from flags.engine.buckets import ALGORITHMS, point
from flags.engine.compiler import CompiledFlag, compile_flag
from flags.engine.document import (
    AllOf,
    AnyOf,
    AttributeTest,
    Audience,
    Condition,
    Configuration,
    Fixed,
    FlagDefinition,
    Kind,
    Not,
    Rule,
    Serve,
    Share,
    Split,
    Target,
    ValueType,
    Variant,
    default_configuration,
)
from flags.engine.dumping import dump_configuration, dump_definition, environment_document
from flags.engine.errors import DocumentError, Problem
from flags.engine.operators import OPERATORS
from flags.engine.parsing import parse_configuration, parse_definition
from flags.engine.results import Context, ErrorCode, Reason, Result, Scalar

__all__ = [
    "ALGORITHMS",
    "OPERATORS",
    "AllOf",
    "AnyOf",
    "AttributeTest",
    "Audience",
    "CompiledFlag",
    "Condition",
    "Configuration",
    "Context",
    "DocumentError",
    "ErrorCode",
    "Fixed",
    "FlagDefinition",
    "Kind",
    "Not",
    "Problem",
    "Reason",
    "Result",
    "Rule",
    "Scalar",
    "Serve",
    "Share",
    "Split",
    "Target",
    "ValueType",
    "Variant",
    "compile_flag",
    "default_configuration",
    "dump_configuration",
    "dump_definition",
    "environment_document",
    "parse_configuration",
    "parse_definition",
    "point",
]
