"""Feature flags: models, services, snapshots for evaluators."""

import gc

from django.apps import AppConfig


class FlagsConfig(AppConfig):
    name = "flags"
    verbose_name = "Flags"

    def ready(self) -> None:
        from flags import channel
        from flags.past import states
        from flags.services import counting, definitions, intake, sampling
        from flags.snapshots import delivery, relay
        from flags.subjects import SUBJECTS
        from portal.access.outbox import environment_created, environments_advanced
        from portal.access.services import note_uses
        from portal.audit import anchors
        from portal.lib import subjects
        from portal.lib.api import published

        subjects.register(*SUBJECTS)
        environments_advanced.connect(relay.on_environments_advanced, dispatch_uid="relay")
        environments_advanced.connect(published.note_changed, dispatch_uid="published")
        published.register(delivery.is_live)
        environment_created.connect(definitions.on_environment_created, dispatch_uid="flags")
        intake.register(channel.USAGE, channel.read_usage, counting.count_usage)
        intake.register(channel.KEY_USE, channel.read_key_use, note_uses)
        intake.register(channel.SAMPLES, channel.read_samples, sampling.take_samples)
        states.register()
        anchors.register("what evaluators were given", relay.read_audit_anchors)
        # What was loaded until now stays.
        gc.freeze()
        gc.enable()
