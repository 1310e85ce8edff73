"""What tests ask of accounts inside a whole product: see ``Stack.inside``."""

from typing import Any


def events(subject: str) -> list[str]:
    """What was recorded about someone, oldest first."""
    from portal.audit.models import AuditEvent

    found = AuditEvent.objects.filter(subject=subject).order_by("sequence")
    return list(found.values_list("event", flat=True))


def change(name: str, to: dict[str, Any]) -> None:
    from portal.access.models import User

    User.objects.filter(username=name).update(**to)


def link_of(name: str) -> int:
    """The number of the one link with a provider that somebody has."""
    from allauth.socialaccount.models import SocialAccount

    return int(SocialAccount.objects.get(user__username=name).pk)
