"""What the services of flags have in common: versions for the evaluators, rows for the auditors."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from flags.models import ExclusionGroup, Flag, FlagConfiguration, Segment
from portal.access import outbox
from portal.access.models import Environment
from portal.lib import journal
from portal.lib.journal import Actor, Entry


def advance_everywhere(flag: Flag, environments: Iterable[Environment], *, now: datetime) -> None:
    """Give every environment a version for a change to the flag itself. Their rows are locked."""
    for environment in environments:
        version = outbox.advance(environment, kind=outbox.FLAG, keys=[flag.key], now=now)
        FlagConfiguration.objects.filter(flag=flag, environment=environment).update(version=version)


def record_flag(
    event: str,
    flag: Flag,
    *,
    actor: Actor,
    environment: Environment | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    reason: str = "",
) -> None:
    """Write the audit row of a change to a flag, or to its configuration in an environment."""
    journal.write(
        Entry(
            event=event,
            actor=actor,
            subject_kind="flag",
            subject=flag.key,
            project=flag.project.key,
            environment=environment.key if environment else "",
            version=environment.version if environment else None,
            before=before,
            after=after,
            reason=reason.strip(),
        )
    )


def record_start(environment: Environment, documents: Mapping[str, object]) -> None:
    """Write the audit row of the flags' first configurations in a new environment."""
    journal.write(
        Entry(
            event="environment.flags_started",
            actor=journal.system("new environment"),
            subject_kind="environment",
            subject=environment.key,
            project=environment.project.key,
            environment=environment.key,
            after={"flags": documents},
        )
    )


def advance_all(environments: Iterable[Environment], kind: str, key: str, *, now: datetime) -> None:
    """Give every environment a version for a change to a segment or a group; rows are locked."""
    for environment in environments:
        outbox.advance(environment, kind=kind, keys=[key], now=now)


def record_cohort(
    event: str,
    one: Segment | ExclusionGroup,
    *,
    actor: Actor,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    reason: str = "",
) -> None:
    """Write the audit row of a change to a segment or an exclusion group."""
    journal.write(
        Entry(
            event=event,
            actor=actor,
            subject_kind="segment" if isinstance(one, Segment) else "exclusion_group",
            subject=one.key,
            project=one.project.key,
            before=before,
            after=after,
            reason=reason.strip(),
        )
    )
