from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "portal.approvals"
    label = "approvals"
    verbose_name = "Approvals"

    def import_models(self) -> None:
        """Also the rows that one subject alone reads, and keeps with it."""
        super().import_models()
        from portal.approvals.freezes import models as _models  # noqa: F401

    def ready(self) -> None:
        from portal.access.outbox import handing_out, name_removing
        from portal.approvals import states
        from portal.approvals.policies import services as policies
        from portal.approvals.subjects import SUBJECTS
        from portal.lib import subjects

        subjects.register(*SUBJECTS)
        states.register()
        name_removing.connect(policies.on_name_removing, dispatch_uid="policies")
        handing_out.connect(policies.on_handing_out, dispatch_uid="policies")
