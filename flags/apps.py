"""Feature flags: models, services, snapshots for evaluators."""

import gc

from django.apps import AppConfig


class FlagsConfig(AppConfig):
    name = "flags"
    verbose_name = "Flags"

    def ready(self) -> None:
        from flags.past import states
        from flags.services import definitions, kinds
        from flags.snapshots import delivery, relay
        from flags.web import events
        from flags.web.cohorts import events as cohort_events
        from portal.access.signals import environment_created, environments_advanced
        from portal.audit import anchors
        from portal.lib import api_published

        kinds.register_all()
        environments_advanced.connect(relay.on_environments_advanced, dispatch_uid="relay")
        environments_advanced.connect(api_published.note_changed, dispatch_uid="published")
        api_published.register(delivery.is_live)
        environment_created.connect(definitions.on_environment_created, dispatch_uid="flags")
        events.register()
        states.register()
        anchors.register("what evaluators were given", relay.read_audit_anchors)
        cohort_events.register()
        # What was loaded until now stays.
        gc.freeze()
        gc.enable()
