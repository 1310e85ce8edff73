from django.urls import path

from releases.api import (
    alerts,
    backtests,
    groups,
    planning,
    policies,
    releases,
    services,
    waiting,
)

_PROJECT = "projects/<slug:project>/"
_RELEASE = _PROJECT + "releases/<int:release>"
_GROUP = _PROJECT + "release-groups/<int:release_group>"
_SERVICE = _PROJECT + "services/<slug:service>"

urlpatterns = [
    path(_PROJECT + "services", services.ServiceList.as_view(), name="api-services"),
    path(_SERVICE, services.ServiceDetail.as_view(), name="api-service"),
    path(
        _SERVICE + "/environments/<slug:environment>",
        services.SetupDetail.as_view(),
        name="api-setup",
    ),
    path(
        _SERVICE + "/environments/<slug:environment>/backtest",
        backtests.CheckBacktest.as_view(),
        name="api-backtest",
    ),
    path(_SERVICE + "/artefacts", services.ArtefactList.as_view(), name="api-artefacts"),
    path(
        _PROJECT + "environments/<slug:environment>/alerts",
        alerts.AlertList.as_view(),
        name="api-alerts",
    ),
    path(_PROJECT + "releases", releases.ReleaseList.as_view(), name="api-releases"),
    path(
        _PROJECT + "releases/preview",
        planning.ReleasePreview.as_view(),
        name="api-release-preview",
    ),
    path(_RELEASE, releases.ReleaseDetail.as_view(), name="api-release"),
    path(
        _RELEASE + "/commands/<slug:command>",
        releases.ReleaseCommand.as_view(),
        name="api-release-command",
    ),
    path(_RELEASE + "/events", waiting.ReleaseEvents.as_view(), name="api-release-events"),
    path(_RELEASE + "/notes", releases.ReleaseNotes.as_view(), name="api-release-notes"),
    path(_RELEASE + "/wait", waiting.ReleaseWait.as_view(), name="api-release-wait"),
    path(_PROJECT + "release-groups", groups.GroupList.as_view(), name="api-release-groups"),
    path(_GROUP, groups.GroupDetail.as_view(), name="api-release-group"),
    path(
        _GROUP + "/commands/<slug:command>",
        groups.GroupCommanding.as_view(),
        name="api-release-group-command",
    ),
    path(_GROUP + "/wait", groups.GroupWait.as_view(), name="api-release-group-wait"),
    path(_PROJECT + "release-advice", planning.ReleaseAdvice.as_view(), name="api-release-advice"),
    path(
        _PROJECT + "release-policies",
        policies.PolicyList.as_view(),
        name="api-release-policies",
    ),
    path(
        _PROJECT + "release-policies/<slug:policy>",
        policies.PolicyDetail.as_view(),
        name="api-release-policy",
    ),
    path(_PROJECT + "plan-templates", planning.TemplateList.as_view(), name="api-plan-templates"),
    path(
        _PROJECT + "plan-templates/<slug:template>",
        planning.TemplateDetail.as_view(),
        name="api-plan-template",
    ),
]
