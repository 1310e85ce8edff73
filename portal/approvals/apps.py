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
        from portal.approvals import kinds, states
        from portal.approvals.services import policies, rights
        from portal.approvals.web import events

        kinds.register(policies.POLICY, policies.PolicyKind())
        kinds.register(rights.RULE, rights.RuleKind())
        kinds.register(rights.ROLE, rights.RoleKind())
        events.register()
        states.register()
        rule_changing.connect(rights.on_rule_changing, dispatch_uid="policies")
        role_changing.connect(rights.on_role_changing, dispatch_uid="policies")
        name_removing.connect(policies.on_name_removing, dispatch_uid="policies")
        handing_out.connect(policies.on_handing_out, dispatch_uid="policies")
