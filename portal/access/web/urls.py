"""Addresses of projects, keys and members."""

from django.urls import path

from portal.access.web import environments, keys, members, projects

urlpatterns = [
    path("", projects.home, name="home"),
    path("projects", projects.list_projects, name="project-list"),
    path("projects/new", projects.create_project, name="project-create"),
    path("p/<slug:project>/keys/", keys.list_keys, name="key-list"),
    path("p/<slug:project>/keys/new", keys.create_key, name="key-create"),
    path("p/<slug:project>/keys/<str:selector>/revoke", keys.revoke_key, name="key-revoke"),
    path("p/<slug:project>/environments/", environments.list_environments, name="environment-list"),
    path("p/<slug:project>/environments/new", environments.add_environment, name="environment-add"),
    path("p/<slug:project>/members/", members.list_members, name="member-list"),
    path("p/<slug:project>/members/new", members.add_member, name="member-add"),
    path("p/<slug:project>/members/<int:user_id>/role", members.change_role, name="member-role"),
    path(
        "p/<slug:project>/members/<int:user_id>/remove", members.remove_member, name="member-remove"
    ),
]
