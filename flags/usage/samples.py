"""Samples of what applications asked with: encrypted on the way in, and read again for counting."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.fernet import InvalidToken

from flags.models import ContextSample, ContextSampling
from portal.access.models import Environment, Project
from portal.lib.encrypting import box_for, derived_keys

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
