from django.urls import path

from portal.access.api import groups, keys, members

_PROJECT = "projects/<slug:project>"
_GROUP = _PROJECT + "/groups/<slug:group>"

urlpatterns = [
    path("projects", groups.ProjectList.as_view(), name="api-projects"),
    path(_PROJECT, groups.ProjectDetail.as_view(), name="api-project"),
    path(_PROJECT + "/environments", groups.EnvironmentList.as_view(), name="api-environments"),
    path(
        _PROJECT + "/environments/<slug:environment>",
        groups.EnvironmentDetail.as_view(),
        name="api-environment",
    ),
    path(_PROJECT + "/members", members.MemberList.as_view(), name="api-members"),
    path(_PROJECT + "/members/<str:username>", members.MemberDetail.as_view(), name="api-member"),
    path(_PROJECT + "/grants", members.GrantList.as_view(), name="api-grants"),
    path(_PROJECT + "/grants/<int:grant>", members.GrantDetail.as_view(), name="api-grant"),
    path(_PROJECT + "/groups", groups.GroupList.as_view(), name="api-groups"),
    path(_GROUP, groups.GroupDetail.as_view(), name="api-group"),
    path(
        _GROUP + "/members/<str:username>",
        groups.GroupMember.as_view(),
        name="api-group-member",
    ),
    path(_PROJECT + "/invitations", members.InvitationList.as_view(), name="api-invitations"),
    path(
        _PROJECT + "/invitations/<slug:invitation>",
        members.InvitationDetail.as_view(),
        name="api-invitation",
    ),
    path(_PROJECT + "/keys", keys.KeyList.as_view(), name="api-keys"),
    path(_PROJECT + "/keys/<slug:selector>", keys.KeyDetail.as_view(), name="api-key"),
]
