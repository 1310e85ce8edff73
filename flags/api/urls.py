"""Addresses of the management API for flags. A key may hold slashes, so it comes last."""

from django.urls import path

from flags.api import configurations, definitions, usage

_PROJECT = "projects/<slug:project>/"
_ENVIRONMENT = _PROJECT + "environments/<slug:environment>/"

urlpatterns = [
    path(_PROJECT + "flags", definitions.FlagList.as_view(), name="api-flags"),
    path(_PROJECT + "flags/<path:key>", definitions.FlagDetail.as_view(), name="api-flag"),
    # The verb stands first: a flag may be called "something/restore".
    path(
        _PROJECT + "restore/<path:key>",
        definitions.FlagRestoring.as_view(),
        name="api-flag-restore",
    ),
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
    path(_ENVIRONMENT + "usage/<path:key>", usage.FlagUsage.as_view(), name="api-usage"),
    path(_ENVIRONMENT + "unknown-flags", usage.UnknownFlags.as_view(), name="api-unknown-flags"),
    path(_ENVIRONMENT + "import", configurations.Import.as_view(), name="api-import"),
]
