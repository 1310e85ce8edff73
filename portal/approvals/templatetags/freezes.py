from collections.abc import Iterable
from typing import Any

from django import template

from portal.access.models import Environment
from portal.approvals.freezes.selectors import freezes_in_force
from portal.lib import clock

register = template.Library()


@register.inclusion_tag("approvals/freezes/_freeze_note.html", takes_context=True)
def freeze_note(
    context: dict[str, Any], where: Environment | Iterable[Environment], *, pill: bool = False
) -> dict[str, Any]:
    """What freezes an environment, or any of several, now; nothing where nothing does.

    ``pill`` is a short form for tables and tabs. One query. For display: the gate asks the
    database's clock.
    """
    places = [where] if isinstance(where, Environment) else where
    frozen = freezes_in_force(places, clock.now())
    return {"frozen": frozen, "scope": context.get("scope"), "pill": pill}


@register.filter
def freeze_sentence(frozen: Any) -> str:
    from portal.approvals.freezes.descriptions import frozen_sentence

    return frozen_sentence(frozen)
