"""Whether somebody else has moved what a ramp moves.

A ramp goes on where others changed anything but its own share. It rests where somebody set that
share by hand or turned the flag off, and it ends where the rule or split is gone: in each case it
says who did it. Before its first step, and after a pause, it takes the share that is there, as long
as that is not higher than what the step would set.
"""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from flags.models import FlagConfiguration, Plan
from flags.plans import Halted, share_of
from portal.audit import selectors as audit

Document = dict[str, Any]
_LOOKED_AT = 100


def require_untouched(plan: Plan, current: FlagConfiguration) -> None:
    """Raise Halted where the ramp must not go on by itself."""
    document, target = current.document, plan.document["target"]
    share = share_of(document, target)
    if share is None:
        who = _who(plan, current, lambda one: share_of(one, target) is None)
        raise Halted(_("{person} removed what it raises.").format(person=who), ends=True)
    if not current.enabled:
        who = _who(plan, current, lambda one: one["enabled"])
        raise Halted(_("{person} turned the flag off.").format(person=who))
    meant = plan.share
    if share != meant if meant is not None else share > plan.steps[plan.step].share:
        who = _who(plan, current, lambda one: share_of(one, target))
        text = _("{person} set the share to {percent} % by hand.")
        raise Halted(text.format(person=who, percent=f"{share / 1000:g}"))


def _who(plan: Plan, current: FlagConfiguration, aspect: Callable[[Document], object]) -> str:
    """Who last changed an aspect of the configuration; whoever was last there where none did."""
    events = audit.events_of(plan.flag.project, subject_kind="flag", subject=plan.flag.key)
    for event in events.filter(environment=plan.environment.key)[:_LOOKED_AT]:
        before, after = event.before_document or {}, event.after_document or {}
        both = "rules" in before and "rules" in after
        if both and aspect(before) != aspect(after):
            return event.actor
    return current.updated_by or _("Somebody")
