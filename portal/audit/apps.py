from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "portal.audit"
    label = "audit"
    verbose_name = "Audit trail"

    def ready(self) -> None:
        from portal.audit import access_states, services
        from portal.audit.services import AUDIT
        from portal.lib import journal, subjects

        journal.register(services.record_all)
        subjects.register(AUDIT)
        access_states.register()
