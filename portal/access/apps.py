"""Projects, environments, members and API keys."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "portal.access"
    label = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        from portal.access.subjects import SUBJECTS
        from portal.lib import subjects

        subjects.register(*SUBJECTS)
