"""The flag document, parsed: immutable, checked, every default filled in."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from flags.engine.results import Scalar

TARGETING_KEY: Final = "targetingKey"
DEFAULT_ALGORITHM: Final = "aviary"


class Kind(StrEnum):
    """What a flag is for."""

    RELEASE = "release"
    EXPERIMENT = "experiment"
    OPERATIONAL = "operational"
    KILL_SWITCH = "kill_switch"
    PERMISSION = "permission"


class ValueType(StrEnum):
    """What every variant of a flag holds."""

    BOOLEAN = "boolean"
    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Variant:
    """A value with a name; ``value`` is of the flag's type (a number is always a float)."""

    key: str
    value: object
    description: str = ""


@dataclass(frozen=True, slots=True)
class FlagDefinition:
    """What a flag is, in every environment."""

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
    """The condition does not hold."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class AttributeTest:
    """One attribute of the context against values; ``operator`` is a key of ``OPERATORS``."""

    attribute: str
    operator: str
    values: tuple[Scalar, ...] = ()
    ignore_case: bool = False


Condition: TypeAlias = AllOf | AnyOf | Not | AttributeTest


@dataclass(frozen=True, slots=True)
class Fixed:
    """Serve one variant."""

    variant: str


@dataclass(frozen=True, slots=True)
class Share:
    """A variant's part of a split, in units of the split's total weight."""

    variant: str
    weight: int


@dataclass(frozen=True, slots=True)
class Split:
    """Serve a variant by bucket; shares lie on the line in this order, so the first grows first.

    ``seed`` None means the algorithm's own: the salt ("aviary") or the flag's key ("flagd").
    """

    shares: tuple[Share, ...]
    bucket_by: str = TARGETING_KEY
    algorithm: str = DEFAULT_ALGORITHM
    seed: str | None = None


Serve: TypeAlias = Fixed | Split


@dataclass(frozen=True, slots=True)
class Audience:
    """The share of those who match; ``threshold`` in thousandths of a percent, 0 to 100,000."""

    threshold: int
    bucket_by: str = TARGETING_KEY

    @property
    def percent(self) -> float:
        """0.0 to 100.0; the division gives back exactly the number that was parsed."""
        return self.threshold / 1000


@dataclass(frozen=True, slots=True)
class Target:
    """A variant for these targeting keys, before any rule."""

    variant: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """Whom to serve what; an audience lets only a share of those who match in."""

    id: str
    when: Condition
    serve: Serve
    audience: Audience | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a flag does in one environment. ``salt`` is the one thing to change to reshuffle."""

    enabled: bool
    off_variant: str
    fallthrough: Serve
    salt: str
    targets: tuple[Target, ...] = ()
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvironmentFlag:
    """The environment document, parsed; ``version`` counts the changes of the flag in it."""

    definition: FlagDefinition
    configuration: Configuration
    version: int


def default_configuration(definition: FlagDefinition, *, salt: str) -> Configuration:
    """A flag's configuration in a new environment: not enabled, everyone served the same.

    Off serves the first variant that is false, else the last one; the fallthrough serves the
    first that is true, else the first one.
    """
    variants = definition.variants
    off = next((v.key for v in variants if v.value is False), variants[-1].key)
    on = next((v.key for v in variants if v.value is True), variants[0].key)
    return Configuration(enabled=False, off_variant=off, fallthrough=Fixed(on), salt=salt)
