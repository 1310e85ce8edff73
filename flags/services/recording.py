"""What the services of flags have in common: versions for the evaluators, rows for the auditors."""

from collections.abc import Iterable
from datetime import datetime

from flags.engine import Named
from flags.models import Flag, FlagConfiguration
from portal.access import outbox
from portal.access.models import Environment


def advance_everywhere(flag: Flag, environments: Iterable[Environment], *, now: datetime) -> None:
    """Give every environment a version for a change to the flag itself. Their rows are locked."""
    for environment in environments:
        version = outbox.advance(environment, kind=Named.FLAG, keys=[flag.key], now=now)
        FlagConfiguration.objects.filter(flag=flag, environment=environment).update(version=version)


def advance_all(environments: Iterable[Environment], kind: str, key: str, *, now: datetime) -> None:
    """Give every environment a version for a change to a segment or a group; rows are locked."""
    for environment in environments:
        outbox.advance(environment, kind=kind, keys=[key], now=now)
