"""The audit trail."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "portal.audit"
    label = "audit"
    verbose_name = "Audit trail"

    def ready(self) -> None:
        from portal.audit import access_states, services, wording
        from portal.lib import journal

        journal.register(services.record_all)
        wording.register()
        access_states.register()
