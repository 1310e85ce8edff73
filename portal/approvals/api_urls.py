from django.urls import path

from portal.approvals.api import change_requests, restoring
from portal.approvals.freezes import api as freezes
from portal.approvals.policies import api as policies

_PROJECT = "projects/<slug:project>/"
_REQUEST = _PROJECT + "change-requests/<int:number>"

urlpatterns = [
    path(_PROJECT + "freezes", freezes.FreezeList.as_view(), name="api-freezes"),
    path(_PROJECT + "freezes/<int:freeze>", freezes.FreezeDetail.as_view(), name="api-freeze"),
    path(
        _PROJECT + "environments/<slug:environment>/line",
        freezes.LineDetail.as_view(),
        name="api-line",
    ),
    path(_PROJECT + "roles", policies.RoleList.as_view(), name="api-roles"),
    path(_PROJECT + "roles/<slug:role>", policies.RoleDetail.as_view(), name="api-role"),
    path(_PROJECT + "evidence", change_requests.EvidenceList.as_view(), name="api-evidence"),
    path(
        _PROJECT + "change-requests",
        change_requests.ChangeRequestList.as_view(),
        name="api-change-requests",
    ),
    path(_REQUEST, change_requests.ChangeRequestDetail.as_view(), name="api-change-request"),
    path(
        _REQUEST + "/withdraw",
        change_requests.Withdrawal.as_view(),
        name="api-change-request-withdraw",
    ),
    path(
        _REQUEST + "/comments",
        change_requests.CommentList.as_view(),
        name="api-change-request-comments",
    ),
    path(
        _PROJECT + "history/<int:record>/restore",
        restoring.HistoryRestoration.as_view(),
        name="api-history-restore",
    ),
    path(
        _PROJECT + "environments/<slug:environment>/policy",
        policies.PolicyDetail.as_view(),
        name="api-policy",
    ),
]
