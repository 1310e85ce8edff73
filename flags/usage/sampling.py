"""Samples of what applications ask with: kept for a day where a project wants that, encrypted."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.fernet import InvalidToken
from django.db import transaction

from flags.channel import SampleBatch
from flags.engine import Named
from flags.models import ContextSample, ContextSampling
from portal.access import authority, outbox
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.lib.encrypting import box_for, derived_keys
from portal.lib.journal import Intent

CLOCKS_DIFFER_BY: Final = timedelta(minutes=5)
KEPT_FOR: Final = timedelta(hours=24)
MOST: Final = 1_000
"""Samples of one environment."""
_PURPOSE: Final = "flags.usage.samples"


@dataclass(frozen=True, slots=True)
class Sample:
    """A context cut down to ``reads``: of any other attribute nothing is known."""

    context: Mapping[str, Any]
    reads: frozenset[str]


def is_sampled(project: Project) -> bool:
    return ContextSampling.objects.filter(project=project).exists()


def samples_of(environment: Environment, *, now: datetime) -> list[Sample]:
    rows = ContextSample.objects.filter(environment=environment, seen_at__gt=now - KEPT_FOR)
    newest = rows.order_by("-seen_at", "-pk")[:MOST]
    return list(_opened(newest))


def sealed_rows(
    environment: Environment, contexts: Iterable[Mapping[str, Any]], reads: Iterable[str]
) -> list[ContextSample]:
    """Contexts as rows, each only once; the caller says when they were seen, and saves."""
    box, names = box_for(_PURPOSE), sorted(reads)
    texts = {json.dumps(one, sort_keys=True).encode() for one in contexts}
    return [
        ContextSample(
            environment=environment,
            digest=_digest(text, names),
            reads=names,
            content=box.encrypt(text),
        )
        for text in texts
    ]


def _digest(text: bytes, names: list[str]) -> str:
    """Keyed: without the key nobody finds out whether somebody is among them."""
    key = derived_keys(f"{_PURPOSE}.digest")[0]
    return hmac.new(key, json.dumps(names).encode() + b"\0" + text, hashlib.sha256).hexdigest()


def _opened(rows: Iterable[ContextSample]) -> Iterator[Sample]:
    """Those that the keys of today can read."""
    box = box_for(_PURPOSE)
    for row in rows:
        try:
            context = json.loads(box.decrypt(bytes(row.content)))
        except InvalidToken:
            continue
        yield Sample(context, frozenset(row.reads))


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
