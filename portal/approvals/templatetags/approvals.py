"""Approvals on the pages of those below, which know nothing of them."""

from collections.abc import Iterable

from django import template
from django.utils.translation import gettext as _

from portal.access.models import Environment
from portal.approvals import selectors
from portal.approvals.descriptions import policy_sentence, role_label

register = template.Library()


@register.simple_tag
def policy_words(environment: Environment) -> str:
    policy = selectors.policies_of([environment]).get(environment.pk)
    return policy_sentence(policy) if policy else _("nobody needs to approve")


@register.filter
def role_name(name: str) -> str:
    return role_label(name)


@register.filter
def role_names(names: Iterable[str]) -> str:
    return ", ".join(map(role_label, names))
