"""Addresses of signing in, projects, keys, members and access."""

from django.contrib.auth import views as auth
from django.urls import include, path

from portal.access.web import (
    environments,
    grants,
    groups,
    invitations,
    joining,
    keys,
    matrix,
    members,
    projects,
    roles,
    sessions,
)

_people = [
    path("members/", members.list_members, name="member-list"),
    path("members/new", members.add_member, name="member-add"),
    path("members/<int:user_id>/roles/new", grants.give_to_member, name="grant-give"),
    path("members/<int:user_id>/remove", members.remove_member, name="member-remove"),
    path("grants/<int:grant_id>/revoke", grants.revoke, name="grant-revoke"),
    path("groups/", groups.list_groups, name="group-list"),
    path("groups/new", groups.create_group, name="group-create"),
    path("groups/<slug:group>/delete", groups.delete_group, name="group-delete"),
    path("groups/<slug:group>/roles/new", grants.give_to_group, name="group-grant-give"),
    path("groups/<slug:group>/members/new", groups.add_to_group, name="group-member-add"),
    path(
        "groups/<slug:group>/members/<int:user_id>/remove",
        groups.remove_from_group,
        name="group-member-remove",
    ),
    path("roles/", roles.list_roles, name="role-list"),
    path("roles/new", roles.create_role, name="role-create"),
    path("roles/<slug:role>/edit", roles.edit_role, name="role-edit"),
    path("roles/<slug:role>/delete", roles.delete_role, name="role-delete"),
    path("invitations/", invitations.list_invitations, name="invitation-list"),
    path("invitations/new", invitations.create_invitation, name="invitation-create"),
    path(
        "invitations/<str:invitation>/revoke",
        invitations.revoke_invitation,
        name="invitation-revoke",
    ),
    path("access/", matrix.show_matrix, name="access-matrix"),
    path("access/person", matrix.show_person, name="access-person"),
    path("access/<slug:environment>/<str:permission>", matrix.edit_rule, name="rule-edit"),
]

urlpatterns = [
    path("sign-in", sessions.SignIn.as_view(), name="sign-in"),
    path("sign-out", sessions.SignOut.as_view(), name="sign-out"),
    path("account/password", sessions.ChangePassword.as_view(), name="password_change"),
    path(
        "account/password/done", auth.PasswordChangeDoneView.as_view(), name="password_change_done"
    ),
    path("invitation/<str:token>", joining.invitation, name="invitation"),
    path("", projects.home, name="home"),
    path("projects", projects.list_projects, name="project-list"),
    path("projects/new", projects.create_project, name="project-create"),
    path("p/<slug:project>/keys/", keys.list_keys, name="key-list"),
    path("p/<slug:project>/keys/new", keys.create_key, name="key-create"),
    path("p/<slug:project>/keys/<str:selector>/revoke", keys.revoke_key, name="key-revoke"),
    path("p/<slug:project>/environments/", environments.list_environments, name="environment-list"),
    path("p/<slug:project>/environments/new", environments.add_environment, name="environment-add"),
    path("p/<slug:project>/", include(_people)),
]
