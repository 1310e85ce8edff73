"""Letting evaluators keep samples of what they are asked with, and keeping those for a day."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db import transaction

from flags.channel import SampleBatch
from flags.engine import Named
from flags.models import ContextSample, ContextSampling
from flags.usage.samples import KEPT_FOR, MOST, is_sampled, sealed_rows
from portal.access import authority, outbox
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.lib.journal import Intent

CLOCKS_DIFFER_BY = timedelta(minutes=5)


@transaction.atomic
def set_sampling(*, project: Project, sampled: bool, intent: Intent) -> None:
    """Keep samples, or keep none any more and drop those there are.

    Every environment takes a version, for evaluators are told by its head. Raises Forbidden
    without ``environment.configure``.
    """
    authority.require(intent.actor, Permission.ENVIRONMENT_CONFIGURE, project=project)
    environments = outbox.lock_project(project)
    if is_sampled(project) == sampled:
        return
    if sampled:
        ContextSampling.objects.create(project=project, started_at=intent.at)
    else:
        ContextSampling.objects.filter(project=project).delete()
        ContextSample.objects.filter(environment__project=project).delete()
    for environment in environments:
        outbox.advance(environment, kind=Named.FLAG, keys=[], now=intent.at)
    intent.record(
        "project.context_sampling_changed",
        project,
        before={"sampled": not sampled},
        after={"sampled": sampled},
    )


@transaction.atomic
def take_samples(batches: Iterable[SampleBatch], now: datetime) -> int:
    """Keep what evaluators were asked with; returns how many contexts no project wants any more."""
    unwanted = 0
    for batch in sorted(batches, key=lambda one: one.environment_id):
        environment = _place_of(batch)
        if environment is None:
            unwanted += len(batch.contexts)
        else:
            _keep(environment, batch, now)
    return unwanted


@transaction.atomic
def forget_old_samples(*, now: datetime) -> None:
    old = ContextSample.objects.filter(seen_at__lte=now - KEPT_FOR)
    if old.exists():
        old.delete()


def _place_of(batch: SampleBatch) -> Environment | None:
    """Its environment, locked, so that nobody ends sampling meanwhile; None where it is over."""
    rows = Environment.objects.select_for_update(no_key=True, of=("self",))
    found = rows.select_related("project").filter(pk=batch.environment_id).first()
    return found if found is not None and is_sampled(found.project) else None


def _keep(environment: Environment, batch: SampleBatch, now: datetime) -> None:
    seen_at = datetime.fromtimestamp(batch.taken_at, UTC)
    if not now - KEPT_FOR < seen_at <= now + CLOCKS_DIFFER_BY:
        return
    rows = sealed_rows(environment, batch.contexts, batch.reads)
    for row in rows:
        row.seen_at = min(seen_at, now)
    ContextSample.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["environment", "digest"],
        update_fields=["seen_at"],
    )
    held = ContextSample.objects.filter(environment=environment).order_by("-seen_at", "-pk")
    too_many = list(held.values_list("pk", flat=True)[MOST : 2 * MOST])
    if too_many:
        ContextSample.objects.filter(pk__in=too_many).delete()
