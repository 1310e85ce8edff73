"""Who gets it: the shares of users per variant, as far as they are known without the users."""

from dataclasses import dataclass

from flags.engine import Configuration, Fixed, FlagDefinition, Serve, Split
from flags.wording import shares


@dataclass(frozen=True, slots=True)
class Portion:
    """A variant and its percentage of those asked about, 0 to 100."""

    variant: str
    percent: float
    colour: int


# The colours there are; more variants than that share them.
COLOURS = 5


def distribution(configuration: Configuration, definition: FlagDefinition) -> list[Portion]:
    """The portions of everyone who is neither singled out nor caught by a rule.

    A variant keeps its colour whatever its share; a boolean's false is always the grey one.
    """
    colours = {
        variant.key: 0 if variant.value is False else 1 + index % COLOURS
        for index, variant in enumerate(definition.variants)
    }
    if not configuration.enabled:
        return [Portion(configuration.off_variant, 100.0, colours[configuration.off_variant])]
    return [
        Portion(variant, percent, colours[variant])
        for variant, percent in _shares(configuration.fallthrough)
    ]


def _shares(serve: Serve) -> list[tuple[str, float]]:
    """Nothing where only the application, or its logic, knows."""
    if isinstance(serve, Fixed):
        return [(serve.variant, 100.0)]
    if isinstance(serve, Split):
        return [(share.variant, percent) for share, percent in shares(serve)]
    return []
