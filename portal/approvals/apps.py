"""Approvals: policies, change requests, evidence, emergencies."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "portal.approvals"
    label = "approvals"
    verbose_name = "Approvals"

    def ready(self) -> None:
        from portal.access.signals import name_removing
        from portal.approvals import kinds
        from portal.approvals.services import policies
        from portal.approvals.web import history

        kinds.register(policies.POLICY, policies.PolicyKind())
        history.register()
        name_removing.connect(policies.on_name_removing, dispatch_uid="policies")
