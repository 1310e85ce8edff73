"""Projects, environments, members and API keys."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "portal.access"
    label = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        from portal.access import api_once, wording
        from portal.lib import api_once as port

        wording.register()
        port.register(api_once.answer_once)
