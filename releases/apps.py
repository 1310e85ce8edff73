from django.apps import AppConfig


class ReleasesConfig(AppConfig):
    name = "releases"
    verbose_name = "Releases"

    def ready(self) -> None:
        from flags import channel
        from flags.core import selectors as flags
        from flags.delivery import intake
        from flags.references import effects, referring
        from portal.access.outbox import environments_advanced
        from portal.lib import subjects
        from releases.alerts import services as alerts
        from releases.catalogue import subject
        from releases.catalogue.subject import SERVICE
        from releases.core import runner, selectors
        from releases.groups.subject import RELEASE_GROUP
        from releases.policies import subject as policy_states, templates
        from releases.policies.subject import PLAN_TEMPLATE, RELEASE_POLICY
        from releases.subjects import RELEASE
        from releases.telemetry import points, storing

        subjects.register(SERVICE, RELEASE, RELEASE_GROUP, RELEASE_POLICY, PLAN_TEMPLATE)
        subject.register()
        policy_states.register()
        intake.register(channel.TELEMETRY, channel.read_telemetry, storing.store, channel.in_slices)
        intake.register(channel.POINTS, channel.read_points, points.store, channel.points_in_slices)
        environments_advanced.connect(runner.look_soon, dispatch_uid="releases")
        storing.stored.append(runner.judge_soon)
        alerts.told.append(runner.judge_alerts_soon)
        flags.movers.append(selectors.flags_moved)
        referring.keepers.append(selectors.kept_for_returns)
        effects.segments_ahead.append(selectors.places_with_cohorts)
        effects.segments_ahead.append(templates.places_requiring)
        effects.flags_ahead.append(selectors.flags_to_come)
