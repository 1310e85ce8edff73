"""How large a flag document may be. Characters are Unicode code points."""

from typing import Final

MAX_KEY_CHARS: Final = 200
MAX_VARIANT_KEY_CHARS: Final = 100
MAX_RULE_ID_CHARS: Final = 64
MAX_NAME_CHARS: Final = 200
MAX_DESCRIPTION_CHARS: Final = 10_000
MAX_TAG_CHARS: Final = 100
MAX_SALT_CHARS: Final = 100
MAX_ATTRIBUTE_CHARS: Final = 200
MAX_UNIT_CHARS: Final = 1_000
MAX_CONDITION_TEXT_CHARS: Final = 1_000
MAX_STRING_VALUE_CHARS: Final = 100_000

MAX_TAGS: Final = 50
MAX_VARIANTS: Final = 100
MAX_RULES: Final = 200
# Keys of all the targets of one configuration together.
MAX_TARGET_KEYS: Final = 100_000
MAX_TARGETS: Final = 100
MAX_PREREQUISITES: Final = 50
# Of each of a segment's two lists.
MAX_SEGMENT_KEYS: Final = 1_000_000
MAX_SLOTS: Final = 1_000
MAX_OVERRIDES: Final = 1_000
MAX_ELSE_BY: Final = 5
MAX_METADATA: Final = 50
# Flags, or segments, that refer to one another in a chain.
MAX_REFERENCE_DEPTH: Final = 20
MAX_GROUP_CONDITIONS: Final = 1_000
MAX_CONDITION_VALUES: Final = 10_000
MAX_CONDITION_DEPTH: Final = 20
MAX_PATTERNS: Final = 100
MAX_PATTERN_BYTES: Final = 1 << 20
# Patterns are not searched for in longer texts, which bounds what one evaluation costs.
MAX_MATCHED_CHARS: Final = 10_000
# What one evaluation may cost, some 0.1 µs each: see ``state.Steps``.
MAX_STEPS: Final = 50_000
# What an explanation may cost: it asks everything, and not until something is decided alone.
EXPLAINED_STEPS: Final = 10 * MAX_STEPS
# Ids of the rules by which a release serves a version to users whatever its share.
COHORTS_RULE: Final = "release-cohorts"
TESTERS_RULE: Final = "release-testers"
# What ids of rules begin with by which a release keeps visits on what they began with.
PINS_RULE: Final = "release-pin-"
# Levels of lists and objects inside an object value, the outermost included.
MAX_VALUE_DEPTH: Final = 20

# The largest integer that JavaScript holds exactly (Number.MAX_SAFE_INTEGER).
MAX_SAFE_INTEGER: Final = 2**53 - 1
# Whole numbers up to here identify a unit; beyond, Python itself may refuse to print them.
MAX_UNIT_INTEGER: Final = 2**63 - 1
# flagd refuses fractional weights that sum to more than an int32 holds.
MAX_FLAGD_TOTAL: Final = 2**31 - 1
