"""Who gets it: the shares of users per variant, as far as they are known without the users."""

from dataclasses import dataclass

from flags.engine import Configuration, Fixed, Serve
from flags.wording import shares


@dataclass(frozen=True, slots=True)
class Portion:
    """A variant and its percentage of those asked about, 0 to 100."""

    variant: str
    percent: float


def distribution(configuration: Configuration) -> list[Portion]:
    """The portions of everyone who is neither singled out nor caught by a rule."""
    if not configuration.enabled:
        return [Portion(configuration.off_variant, 100.0)]
    return portions(configuration.fallthrough)


def portions(serve: Serve) -> list[Portion]:
    """What is served, as portions that add up to 100."""
    if isinstance(serve, Fixed):
        return [Portion(serve.variant, 100.0)]
    return [Portion(share.variant, percent) for share, percent in shares(serve)]
