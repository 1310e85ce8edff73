"""Approvals: policies, change requests, evidence, emergencies."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "portal.approvals"
    label = "approvals"
    verbose_name = "Approvals"

    def ready(self) -> None:
        from portal.access.signals import (
            handing_out,
            name_removing,
            role_changing,
            rule_changing,
        )
        from portal.approvals import states
        from portal.approvals.services import policies, rights
        from portal.approvals.subjects import SUBJECTS
        from portal.lib import subjects

        subjects.register(*SUBJECTS)
        states.register()
        rule_changing.connect(rights.on_rule_changing, dispatch_uid="policies")
        role_changing.connect(rights.on_role_changing, dispatch_uid="policies")
        name_removing.connect(policies.on_name_removing, dispatch_uid="policies")
        handing_out.connect(policies.on_handing_out, dispatch_uid="policies")
