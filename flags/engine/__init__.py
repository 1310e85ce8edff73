"""The flag engine: documents in, answers out. Pure: no I/O, no clock, no randomness.

Documents are plain JSON-like dicts: a flag's *definition*, its *configuration* in one environment,
the *environment document*, the two merged for evaluators; *segments* and *exclusion groups*.

    definition = parse_definition(json_object)
    configuration = parse_configuration(json_object, definition)
    document = environment_document(definition, configuration, version=7)
    result = compile_flag(document).evaluate({"targetingKey": "u-1", "country": "DE"}, state)

The *state* holds what flags refer to: each other, segments, groups, and the instant.
"""

from flags.engine.attributes import EVERYTHING, attributes_of, minimised, units_of
from flags.engine.buckets import ALGORITHMS, point
from flags.engine.compiler import compile_flag
from flags.engine.document import (
    AllOf,
    AnyOf,
    AttributeTest,
    Audience,
    ByLogic,
    CodeDefault,
    Condition,
    Configuration,
    EnvironmentFlag,
    Fixed,
    FlagDefinition,
    FlagTest,
    Group,
    Kind,
    LogicTest,
    Not,
    Override,
    Rule,
    Segment,
    SegmentTest,
    Serve,
    Share,
    Slot,
    Split,
    Target,
    ValueType,
    Variant,
    default_configuration,
)
from flags.engine.dumping import (
    dump_condition,
    dump_configuration,
    dump_definition,
    environment_document,
)
from flags.engine.exclusion_groups import (
    compile_group,
    disturbances,
    dump_group,
    free_room,
    parse_group,
    place_slot,
)
from flags.engine.limits import MAX_STEPS
from flags.engine.operators import OPERATORS
from flags.engine.parsing import parse_configuration, parse_definition, parse_environment
from flags.engine.references import (
    Mention,
    Named,
    References,
    depth_of,
    find_cycle,
    mentions_in,
    mentions_in_condition,
    references_of,
    variants_of,
)
from flags.engine.results import Context, ErrorCode, Reason, Result, Scalar
from flags.engine.segments import compile_segment, dump_segment, parse_segment
from flags.engine.state import (
    EMPTY,
    CompiledFlag,
    CompiledGroup,
    CompiledSegment,
    EvaluationState,
    OverBudget,
    Steps,
)
from portal.lib.documents import DocumentError, Problem

__all__ = [
    "ALGORITHMS",
    "EMPTY",
    "EVERYTHING",
    "MAX_STEPS",
    "OPERATORS",
    "AllOf",
    "AnyOf",
    "AttributeTest",
    "Audience",
    "ByLogic",
    "CodeDefault",
    "CompiledFlag",
    "CompiledGroup",
    "CompiledSegment",
    "Condition",
    "Configuration",
    "Context",
    "DocumentError",
    "EnvironmentFlag",
    "ErrorCode",
    "EvaluationState",
    "Fixed",
    "FlagDefinition",
    "FlagTest",
    "Group",
    "Kind",
    "LogicTest",
    "Mention",
    "Named",
    "Not",
    "OverBudget",
    "Override",
    "Problem",
    "Reason",
    "References",
    "Result",
    "Rule",
    "Scalar",
    "Segment",
    "SegmentTest",
    "Serve",
    "Share",
    "Slot",
    "Split",
    "Steps",
    "Target",
    "ValueType",
    "Variant",
    "attributes_of",
    "compile_flag",
    "compile_group",
    "compile_segment",
    "default_configuration",
    "depth_of",
    "disturbances",
    "dump_condition",
    "dump_configuration",
    "dump_definition",
    "dump_group",
    "dump_segment",
    "environment_document",
    "find_cycle",
    "free_room",
    "mentions_in",
    "mentions_in_condition",
    "minimised",
    "parse_configuration",
    "parse_definition",
    "parse_environment",
    "parse_group",
    "parse_segment",
    "place_slot",
    "point",
    "references_of",
    "units_of",
    "variants_of",
]
