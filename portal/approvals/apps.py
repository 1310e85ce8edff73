from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "portal.approvals"
    label = "approvals"
    verbose_name = "Approvals"

    def ready(self) -> None:
        from portal.access.outbox import handing_out, name_removing
        from portal.approvals import states
        from portal.approvals.services import policies
        from portal.approvals.subjects import SUBJECTS
        from portal.lib import subjects

        subjects.register(*SUBJECTS)
        states.register()
        name_removing.connect(policies.on_name_removing, dispatch_uid="policies")
        handing_out.connect(policies.on_handing_out, dispatch_uid="policies")
