"""Feature flags. Composition root: what the subjects register with each other and the portal."""

import gc

from django.apps import AppConfig


class FlagsConfig(AppConfig):
    name = "flags"
    verbose_name = "Flags"

    def import_models(self) -> None:
        """Also the rows that one subject alone reads, and keeps with it."""
        super().import_models()
        from flags.schedules import models as _models  # noqa: F401

    def ready(self) -> None:
        from flags import channel
        from flags.core import definitions
        from flags.delivery import intake, progress, relay
        from flags.explain import states
        from flags.references import effects
        from flags.schedules import models as schedules
        from flags.subjects import SUBJECTS
        from flags.usage import counting, sampling
        from portal.access.outbox import environment_created, environments_advanced
        from portal.access.services import note_uses
        from portal.audit import anchors
        from portal.lib import subjects
        from portal.lib.api import published

        subjects.register(*SUBJECTS)
        environments_advanced.connect(relay.on_environments_advanced, dispatch_uid="relay")
        environments_advanced.connect(published.note_changed, dispatch_uid="published")
        published.register(progress.is_live)
        environment_created.connect(definitions.on_environment_created, dispatch_uid="flags")
        intake.register(channel.USAGE, channel.read_usage, counting.count_usage)
        intake.register(channel.KEY_USE, channel.read_key_use, note_uses)
        intake.register(channel.SAMPLES, channel.read_samples, sampling.take_samples)
        effects.flags_ahead.append(schedules.flags_planned)
        effects.segments_ahead.append(schedules.places_planned)
        states.register()
        anchors.register("what evaluators were given", relay.read_audit_anchors)
        # What was loaded until now stays.
        gc.freeze()
        gc.enable()
