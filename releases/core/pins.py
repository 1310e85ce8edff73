"""Pins: visits that began on the stable version keep it for a while, though the share has risen.

Of a flag they are rules that a release takes away again (releases.engine.routing); haproxy keeps
them itself, by user (releases.routers.haproxy_map).
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from releases.core.models import Release
from releases.engine.routing import GRACE_S


def next_end(release: Release) -> datetime | None:
    """When a rule that pins visits is to go next, as the flag was seen last."""
    ends = release.told.get("pins")
    return datetime.fromtimestamp(min(ends), UTC) if ends else None


def are_due(release: Release, at: datetime) -> bool:
    end = next_end(release)
    return end is not None and at >= end


_LINGERS: Final = timedelta(seconds=GRACE_S)


def pinned_until(release: Release) -> datetime | None:
    """Until when the stable version may still have visitors who are pinned to it."""
    pin_s = release.router.get("pin_s")
    if not pin_s:
        return None
    risen = release.executions.filter(share__gt=0).exclude(reached_at=None)
    last = risen.order_by("-reached_at").values_list("reached_at", flat=True).first()
    return last + timedelta(seconds=pin_s) + _LINGERS if last else None


def require_none(release: Release, at: datetime) -> None:
    """Raise Conflict where visitors are pinned yet to what ``release`` has left."""
    until = pinned_until(release)
    if until is not None and at < until:
        text = _("Visitors are pinned to the version before {title} until {until} UTC. Try then.")
        said = text.format(title=release.title, until=f"{until:%Y-%m-%d %H:%M}")
        raise Conflict(said, current={"release": release.pk}, yours={})
