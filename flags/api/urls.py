"""Addresses of the management API for flags. A key may hold slashes, so it comes last."""

from django.urls import path

from flags.api import configurations, definitions, groups, segments

_PROJECT = "projects/<slug:project>/"
_ENVIRONMENT = _PROJECT + "environments/<slug:environment>/"

urlpatterns = [
    path(_PROJECT + "flags", definitions.FlagList.as_view(), name="api-flags"),
    path(_PROJECT + "flags/<path:key>", definitions.FlagDetail.as_view(), name="api-flag"),
    path(
        _ENVIRONMENT + "flags/<path:key>",
        configurations.ConfigurationDetail.as_view(),
        name="api-configuration",
    ),
    path(_ENVIRONMENT + "import", configurations.Import.as_view(), name="api-import"),
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
]
