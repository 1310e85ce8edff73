from django.urls import path

from portal.access.web import invitations, keys, matrix, members, projects

_PROJECT = "p/<slug:project>/"

urlpatterns = [
    path("invitation/<str:token>", invitations.invitation, name="invitation"),
    path("", projects.home, name="home"),
    path("projects", projects.list_projects, name="project-list"),
    path("projects/new", projects.create_project, name="project-create"),
    path("p/<slug:project>/keys/", keys.list_keys, name="key-list"),
    path("p/<slug:project>/keys/new", keys.create_key, name="key-create"),
    path("p/<slug:project>/keys/<str:selector>/edit", keys.edit_key, name="key-edit"),
    path(_PROJECT + "keys/<str:selector>/evidence", keys.set_evidence, name="key-evidence"),
    path(_PROJECT + "keys/<str:selector>/confirm", keys.confirm_key, name="key-confirm"),
    path("p/<slug:project>/keys/<str:selector>/revoke", keys.revoke_key, name="key-revoke"),
    path("p/<slug:project>/environments/", projects.list_environments, name="environment-list"),
    path("p/<slug:project>/environments/new", projects.add_environment, name="environment-add"),
    path(_PROJECT + "members/", members.list_members, name="member-list"),
    path(_PROJECT + "members/new", members.add_member, name="member-add"),
    path(_PROJECT + "members/<int:user_id>/roles/new", members.give_to_member, name="grant-give"),
    path(
        _PROJECT + "members/<int:user_id>/confirm",
        members.confirm_approver,
        name="approver-confirm",
    ),
    path(_PROJECT + "members/<int:user_id>/remove", members.remove_member, name="member-remove"),
    path(_PROJECT + "grants/<int:grant_id>/revoke", members.revoke, name="grant-revoke"),
    path(_PROJECT + "groups/", members.list_groups, name="group-list"),
    path(_PROJECT + "groups/new", members.create_group, name="group-create"),
    path(_PROJECT + "groups/<slug:group>/delete", members.delete_group, name="group-delete"),
    path(
        _PROJECT + "groups/<slug:group>/roles/new", members.give_to_group, name="group-grant-give"
    ),
    path(
        _PROJECT + "groups/<slug:group>/members/new", members.add_to_group, name="group-member-add"
    ),
    path(
        _PROJECT + "groups/<slug:group>/members/<int:user_id>/remove",
        members.remove_from_group,
        name="group-member-remove",
    ),
    path(_PROJECT + "invitations/", invitations.list_invitations, name="invitation-list"),
    path(_PROJECT + "invitations/new", invitations.create_invitation, name="invitation-create"),
    path(
        _PROJECT + "invitations/<str:invitation>/revoke",
        invitations.revoke_invitation,
        name="invitation-revoke",
    ),
    path(_PROJECT + "access/", matrix.show_matrix, name="access-matrix"),
    path(_PROJECT + "access/person", matrix.show_person, name="access-person"),
]
