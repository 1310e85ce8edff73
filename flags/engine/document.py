"""The flag document, parsed: immutable, checked, every default filled in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from flags.engine.results import Scalar

TARGETING_KEY: Final = "targetingKey"
# The attribute that no context has to give: the instant of the evaluation, in Unix seconds.
NOW: Final = "$now"
# A unit that is another one at every evaluation.
RANDOM: Final = "$random"
DEFAULT_ALGORITHM: Final = "aviary"
# The generation of flagd's ``fractional`` that is meant where none is named.
DEFAULT_BUCKETING: Final = "murmur3"


class Kind(StrEnum):
    RELEASE = "release"
    EXPERIMENT = "experiment"
    OPERATIONAL = "operational"
    KILL_SWITCH = "kill_switch"
    PERMISSION = "permission"


class ValueType(StrEnum):
    BOOLEAN = "boolean"
    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Variant:
    """A value with a name; ``value`` is of the flag's type (a number is always a float).

    Answers call it ``served_as``, where that is given, and carry its ``metadata``: what another
    product's answers said of it, for flags that come from there.
    """

    key: str
    value: object
    description: str = ""
    served_as: str | None = None
    metadata: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.key if self.served_as is None else self.served_as


@dataclass(frozen=True, slots=True)
class FlagDefinition:
    key: str
    value_type: ValueType
    variants: tuple[Variant, ...]
    kind: Kind = Kind.RELEASE
    name: str = ""
    client_visible: bool = False
    description: str = ""
    tags: tuple[str, ...] = ()
    owner: str = ""
    permanent: bool = False
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    json_schema: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every condition holds; with none of them, everyone matches."""

    conditions: tuple["Condition", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one condition holds; with none of them, nobody matches."""

    conditions: tuple["Condition", ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    condition: "Condition"


@dataclass(frozen=True, slots=True)
class AttributeTest:
    attribute: str
    operator: str
    values: tuple[Scalar, ...] = ()
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class SegmentTest:
    segment: str


@dataclass(frozen=True, slots=True)
class FlagTest:
    """Another flag, asked with the same context, serves one of these variants (by their keys)."""

    flag: str
    variants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Logic:
    """Checked JsonLogic, as JSON without references. Nobody changes it."""

    value: object


@dataclass(frozen=True, slots=True)
class LogicTest:
    """JsonLogic makes of the context what counts as true.

    ``bucketing`` is the generation of flagd's ``fractional`` in it (see jsonlogic).
    """

    logic: Logic
    bucketing: str = DEFAULT_BUCKETING


Condition: TypeAlias = AllOf | AnyOf | Not | AttributeTest | SegmentTest | FlagTest | LogicTest


@dataclass(frozen=True, slots=True)
class Fixed:
    variant: str


@dataclass(frozen=True, slots=True)
class Share:
    """A variant's part of a split, in units of the split's total weight."""

    variant: str
    weight: int


@dataclass(frozen=True, slots=True)
class Split:
    """Serve a variant by bucket; shares lie on the line in this order, so the first grows first.

    ``seed`` None means the algorithm's own: the salt ("aviary") or the flag's key (the others).
    The unit is the first that ``bucket_by`` and ``else_by`` find. ``overrides`` are asked first.
    """

    shares: tuple[Share, ...]
    bucket_by: str = TARGETING_KEY
    else_by: tuple[str, ...] = ()
    algorithm: str = DEFAULT_ALGORITHM
    seed: str | None = None
    overrides: tuple["Override", ...] = ()


@dataclass(frozen=True, slots=True)
class Override:
    """A variant of a split for all who meet the condition, whatever their bucket."""

    variant: str
    when: Condition


@dataclass(frozen=True, slots=True)
class ByLogic:
    """Serve the variant that JsonLogic names by its key, true and false meaning those texts.

    Null means that this does not apply; what names no variant of the flag is an error.
    """

    logic: Logic
    bucketing: str = DEFAULT_BUCKETING


@dataclass(frozen=True, slots=True)
class CodeDefault:
    """Serve nothing, so that the application takes the default in its code."""


Serve: TypeAlias = Fixed | Split | ByLogic | CodeDefault


@dataclass(frozen=True, slots=True)
class Audience:
    """The share of those who match; ``threshold`` in thousandths of a percent, 0 to 100,000.

    With a ``group``, only of those whom the exclusion group gives to this flag. Unit, algorithm
    and seed as in a split.
    """

    threshold: int
    bucket_by: str = TARGETING_KEY
    else_by: tuple[str, ...] = ()
    algorithm: str = DEFAULT_ALGORITHM
    seed: str | None = None
    group: str | None = None

    @property
    def percent(self) -> float:
        """0.0 to 100.0; the division gives back exactly the number that was parsed."""
        return self.threshold / 1000


@dataclass(frozen=True, slots=True)
class Target:
    variant: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    when: Condition
    serve: Serve
    audience: Audience | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a flag does in one environment. ``salt`` is the one thing to change to reshuffle.

    Where a prerequisite does not hold the flag counts as not enabled. Evaluators never see one that
    is not ``introduced``: there the flag does not exist yet.
    """

    enabled: bool
    off_variant: str
    fallthrough: Serve
    salt: str
    targets: tuple[Target, ...] = ()
    rules: tuple[Rule, ...] = ()
    prerequisites: tuple[FlagTest, ...] = ()
    introduced: bool = True


@dataclass(frozen=True, slots=True)
class EnvironmentFlag:
    definition: FlagDefinition
    configuration: Configuration
    version: int


@dataclass(frozen=True, slots=True)
class Segment:
    """Units listed by key, and those who meet the condition.

    A key is the text of the attribute ``keyed_by``. Included keys belong, excluded ones do not,
    and the condition decides about all others; without one nobody else belongs.
    """

    key: str
    when: Condition = AnyOf()
    included: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    keyed_by: str = TARGETING_KEY
    name: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A flag's part of a group's line, from ``start`` up to ``end`` (in points, 0 to 100,000)."""

    flag: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Group:
    """An exclusion group: each unit belongs to one flag at most, because slots never overlap.

    The last ``holdout`` points of the line belong to no flag: units there get none of the group's
    audiences.
    """

    key: str
    salt: str
    slots: tuple[Slot, ...] = ()
    holdout: int = 0
    bucket_by: str = TARGETING_KEY
    name: str = ""
    description: str = ""


def default_configuration(definition: FlagDefinition, *, salt: str) -> Configuration:
    """A flag's configuration in a new environment: not enabled, everyone served the same.

    Off serves the first variant that is false, else the last one; the fallthrough serves the
    first that is true, else the first one.
    """
    variants = definition.variants
    off = next((v.key for v in variants if v.value is False), variants[-1].key)
    on = next((v.key for v in variants if v.value is True), variants[0].key)
    return Configuration(enabled=False, off_variant=off, fallthrough=Fixed(on), salt=salt)
