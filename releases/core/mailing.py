"""Mail about a release, to the people who answer for it."""

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from portal.access.models import User
from portal.notifications import services as notifications
from releases.core.models import Release, State


def tell(release: Release, key: str, text: str) -> None:
    """Write to who answers for it and to the owners of the service, in the site's language."""
    owners = release.service.owners if release.service else []
    to = {user.pk: user for user in User.objects.filter(username__in=owners)}
    if release.author_user:
        to[release.author_user.pk] = release.author_user
    if not to:
        return
    with translation.override(settings.LANGUAGE_CODE):
        subject = _("[{project}] Release {number}, {title} in {place}: {state}").format(
            project=release.project.name,
            number=release.pk,
            title=release.title,
            place=release.environment.name,
            state=State(release.state).label,
        )
    path = reverse("release", args=[release.project.key, release.pk])
    body = f"{text}\n\n{settings.PORTAL_URL}{path}\n"
    notifications.notify(
        to=to.values(), key=f"release:{release.pk}:{key}", subject=subject, text=body
    )
