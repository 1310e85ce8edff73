"""Whether somebody else has moved what a ramp moves.

A ramp goes on where others changed anything but its own share. It rests where somebody set that
share by hand or turned the flag off, and it ends where the rule or split is gone. It says who did
it where the history does, since the ramp was made; else it says what it found. Before its first
step, and after a pause, it takes the share that is there, as long as that is not higher than what
the step would set.
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
        who = _who(plan, lambda one: share_of(one, target) is None)
        text = _("{person} removed what it raises.") if who else _("What it raises is gone.")
        raise Halted(text.format(person=who), ends=True)
    if not current.enabled:
        who = _who(plan, lambda one: one["enabled"])
        text = _("{person} turned the flag off.") if who else _("The flag is off.")
        raise Halted(text.format(person=who))
    meant = plan.share
    if share != meant if meant is not None else share > plan.steps[plan.step].share:
        who = _who(plan, lambda one: share_of(one, target))
        text = _("The share is {percent} %, and the next step would set {next} %.")
        if who:
            text = _("{person} set the share to {percent} % by hand.")
        coming = plan.steps[plan.step].share
        words = {"percent": f"{share / 1000:g}", "next": f"{coming / 1000:g}"}
        raise Halted(text.format(person=who, **words))


def _who(plan: Plan, aspect: Callable[[Document], object]) -> str:
    """Who last changed an aspect of the configuration since the plan was made; empty where nobody
    did."""
    events = audit.events_of(plan.flag.project, subject_kind="flag", subject=plan.flag.key)
    events = events.filter(environment=plan.environment.key, at__gte=plan.created_at)
    for event in events[:_LOOKED_AT]:
        before, after = event.before_document or {}, event.after_document or {}
        both = "rules" in before and "rules" in after
        if both and aspect(before) != aspect(after):
            return event.actor
    return ""
