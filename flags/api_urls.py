"""Addresses of the management API for flags. A key may hold slashes, so it comes last."""

from django.urls import path

from flags.core.api import configurations, copying, definitions, usage
from flags.exclusion_groups import api as groups
from flags.explain import api as explain
from flags.schedules import api as plans
from flags.schedules.models import PlanKind
from flags.segments import api as segments
from flags.transfer import api as transfer_api

_PROJECT = "projects/<slug:project>/"
_ENVIRONMENT = _PROJECT + "environments/<slug:environment>/"

_STEPS = ("pause", "resume", "cancel")

urlpatterns = [
    path(_PROJECT + "flags", definitions.FlagList.as_view(), name="api-flags"),
    path(_PROJECT + "flags/<path:key>", definitions.FlagDetail.as_view(), name="api-flag"),
    # The verb stands first: a flag may be called "something/restore".
    path(
        _PROJECT + "restore/<path:key>",
        definitions.FlagRestoring.as_view(),
        name="api-flag-restore",
    ),
    path(_PROJECT + "clone/<path:key>", copying.Cloning.as_view(), name="api-flag-clone"),
    path(_PROJECT + "bulk", copying.Bulk.as_view(), name="api-bulk"),
    path(_ENVIRONMENT + "copy/<path:key>", copying.Copying.as_view(), name="api-copy"),
    path(
        _ENVIRONMENT + "flags",
        configurations.ConfigurationList.as_view(),
        name="api-configurations",
    ),
    path(
        _ENVIRONMENT + "flags/<path:key>",
        configurations.ConfigurationDetail.as_view(),
        name="api-configuration",
    ),
    path(_ENVIRONMENT + "usage/<path:key>", usage.FlagUsageView.as_view(), name="api-usage"),
    path(_ENVIRONMENT + "unknown-flags", usage.UnknownFlags.as_view(), name="api-unknown-flags"),
    path(_ENVIRONMENT + "explain", explain.Explain.as_view(), name="api-explain"),
    path(_ENVIRONMENT + "past", explain.ExplainPast.as_view(), name="api-past"),
    path(_ENVIRONMENT + "import", transfer_api.Import.as_view(), name="api-import"),
    path(_PROJECT + "segments", segments.SegmentList.as_view(), name="api-segments"),
    path(_PROJECT + "segments/<path:key>", segments.SegmentDetail.as_view(), name="api-segment"),
    path(
        _PROJECT + "segment-keys/<slug:which>/<path:key>",
        segments.SegmentKeys.as_view(),
        name="api-segment-keys",
    ),
    path(_PROJECT + "exclusion-groups", groups.GroupList.as_view(), name="api-exclusion-groups"),
    path(
        _PROJECT + "exclusion-groups/<path:key>",
        groups.GroupDetail.as_view(),
        name="api-exclusion-group",
    ),
    path(_PROJECT + "export", transfer_api.ProjectExport.as_view(), name="api-export"),
    path(
        _ENVIRONMENT + "export",
        transfer_api.EnvironmentExport.as_view(),
        name="api-environment-export",
    ),
]

urlpatterns += [
    path(_ENVIRONMENT + "schedules", plans.ScheduleList.as_view(), name="api-schedules"),
    path(_ENVIRONMENT + "ramps", plans.RampList.as_view(), name="api-ramps"),
]
for _kind in PlanKind:
    _one = f"{_ENVIRONMENT}{_kind}s/<int:plan>"
    urlpatterns += [
        path(_one, plans.detail_view(_kind).as_view(), name=f"api-{_kind}"),
        *(
            path(
                f"{_one}/{step}", plans.step_view(_kind, step).as_view(), name=f"api-{_kind}-{step}"
            )
            for step in _STEPS
        ),
    ]
