"""Addresses of the management API for projects and access."""

from django.urls import path

from portal.access.rest import views

_PROJECT = "projects/<slug:project>"

urlpatterns = [
    path("projects", views.ProjectList.as_view(), name="api-projects"),
    path(_PROJECT, views.ProjectDetail.as_view(), name="api-project"),
    path(_PROJECT + "/environments", views.EnvironmentList.as_view(), name="api-environments"),
    path(
        _PROJECT + "/environments/<slug:environment>",
        views.EnvironmentDetail.as_view(),
        name="api-environment",
    ),
    path(_PROJECT + "/members", views.MemberList.as_view(), name="api-members"),
    path(_PROJECT + "/grants", views.GrantList.as_view(), name="api-grants"),
    path(_PROJECT + "/groups", views.GroupList.as_view(), name="api-groups"),
    path(_PROJECT + "/roles", views.RoleList.as_view(), name="api-roles"),
    path(_PROJECT + "/invitations", views.InvitationList.as_view(), name="api-invitations"),
    path(_PROJECT + "/keys", views.KeyList.as_view(), name="api-keys"),
    path(_PROJECT + "/keys/<slug:selector>", views.KeyDetail.as_view(), name="api-key"),
]
