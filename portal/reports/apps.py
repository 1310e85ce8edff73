from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "portal.reports"
    label = "reports"
    verbose_name = "Reports"

    def ready(self) -> None:
        from portal.lib import subjects
        from portal.reports.services import RECERTIFICATION

        subjects.register(RECERTIFICATION)
