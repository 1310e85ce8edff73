"""Keeping when API keys were last used: for people who tidy up, so a minute more or less is fine.

It changes nothing that anybody may do, so the audit trail does not record it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import Q

from portal.access.models import ApiKey
from portal.lib.patience import only_a_trace

ONCE_IN = timedelta(minutes=1)


def note_use(*, key: ApiKey, now: datetime) -> None:
    """Keep that a key was just used, at most once a minute; a busy database does not stop it."""
    if key.last_used_at is not None and now - key.last_used_at < ONCE_IN:
        return
    with only_a_trace("the use of a key"):
        _move_forward(key.pk, now)


def note_uses(*, used_at: Mapping[str, datetime], now: datetime) -> int:
    """Keep when keys were used, by their selectors; only ever forward, and never in the future.

    Returns how many rows changed. Selectors that no key has are passed over.
    """
    known = ApiKey.objects.filter(selector__in=used_at).values_list("pk", "selector")
    return sum(_move_forward(pk, min(used_at[selector], now)) for pk, selector in known)


def _move_forward(pk: int, used_at: datetime) -> int:
    older = Q(last_used_at__isnull=True) | Q(last_used_at__lt=used_at)
    return ApiKey.objects.filter(older, pk=pk).update(last_used_at=used_at)
