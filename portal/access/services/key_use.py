"""Keeping when API keys were last used: for people who tidy up, so a minute more or less is fine.

It changes nothing that anybody may do, so the audit trail does not record it.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

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


def note_uses(used: Collection[tuple[str, float]], now: datetime) -> int:
    """Keep when keys were used, given by selector and Unix seconds; only ever forward, and never in
    the future. Returns how many uses were of keys that are gone.
    """
    used_at = dict(sorted(used, key=lambda one: one[1]))
    known = dict(ApiKey.objects.filter(selector__in=used_at).values_list("selector", "pk"))
    for selector, pk in sorted(known.items()):
        _move_forward(pk, min(datetime.fromtimestamp(used_at[selector], UTC), now))
    return sum(selector not in known for selector, _at in used)


def _move_forward(pk: int, used_at: datetime) -> None:
    older = Q(last_used_at__isnull=True) | Q(last_used_at__lt=used_at)
    ApiKey.objects.filter(older, pk=pk).update(last_used_at=used_at)
