"""What each endpoint takes and answers, for the schema."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from drf_spectacular.utils import OpenApiParameter, extend_schema

from portal.access.api import shapes
from portal.access.models import KeyKind
from portal.lib.api.operations import PAGING, WAITS, WITH_BODY, answers, query

F = TypeVar("F", bound=Callable[..., Any])
KINDS: Final[list[str]] = [str(kind) for kind in KeyKind.values]
_ENVIRONMENT: Final = query("environment", "Only those of the environment of this key.")


def _read(
    name: str, shape: Any, tag: str, parameters: Sequence[OpenApiParameter] = ()
) -> Callable[[F], F]:
    return extend_schema(
        operation_id=name, tags=[tag], parameters=[*parameters], responses=answers(200, shape)
    )


def _write(
    name: str, tag: str, status: int, shape: Any, *problems: int, request: Any = None
) -> Callable[[F], F]:
    return extend_schema(
        operation_id=name,
        tags=[tag],
        request=request,
        responses=answers(status, shape, *problems, *(WITH_BODY if request else ())),
    )


def _patch(name: str, tag: str, patch: Any, shape: Any, **options: Any) -> Callable[[F], F]:
    """A change of some fields, by a merge patch or what looks the same."""
    media = ("application/json", "application/merge-patch+json")
    return extend_schema(
        operation_id=name,
        tags=[tag],
        request=dict.fromkeys(media, patch),
        responses=answers(200, shape, *WITH_BODY, **options),
    )


list_projects = _read("list_projects", shapes.ProjectPage, "projects", PAGING)
read_project = _read("read_project", shapes.Project, "projects")
list_environments = _read("list_environments", shapes.EnvironmentPage, "projects", PAGING)
read_environment = _read("read_environment", shapes.Environment, "projects")
list_members = _read("list_members", shapes.MemberPage, "access", PAGING)
list_grants = _read(
    "list_grants",
    shapes.GrantPage,
    "access",
    [
        query("member", "Only those given to the person of this name."),
        query("group", "Only those given to the group of this key."),
        query("role", "Only those of the role of this key."),
        _ENVIRONMENT,
        *PAGING,
    ],
)
list_groups = _read("list_groups", shapes.GroupPage, "access", PAGING)
list_roles = _read("list_roles", shapes.RolePage, "access", PAGING)
list_invitations = _read("list_invitations", shapes.InvitationPage, "access", PAGING)
list_keys = _read(
    "list_keys",
    shapes.KeyPage,
    "access",
    [_ENVIRONMENT, query("kind", "Only keys of this kind.", enum=KINDS), *PAGING],
)
read_key = _read("read_key", shapes.Key, "access")

edit_project = _patch("edit_project", "projects", shapes.Renaming, shapes.Project)
create_environment = _write(
    "create_environment", "projects", 201, shapes.Environment, request=shapes.NewEnvironment
)
edit_environment = _patch("edit_environment", "projects", shapes.Renaming, shapes.Environment)
add_member = _write("add_member", "access", 201, shapes.Member, request=shapes.NewMember)
edit_member = _patch("edit_member", "access", shapes.MemberPatch, shapes.Member)
remove_member = _write("remove_member", "access", 204, None)
give_role = _write("give_role", "access", 201, shapes.Grant, request=shapes.NewGrant)
revoke_grant = _write("revoke_grant", "access", 204, None)
create_group = _write("create_group", "access", 201, shapes.Group, request=shapes.NewGroup)
read_group = _read("read_group", shapes.Group, "access")
edit_group = _patch("edit_group", "access", shapes.Renaming, shapes.Group)
delete_group = _write("delete_group", "access", 204, None)
add_to_group = _write("add_to_group", "access", 200, shapes.Group)
remove_from_group = _write("remove_from_group", "access", 204, None)
create_role = _write("create_role", "access", 201, shapes.Role, request=shapes.NewRole)
read_role = _read("read_role", shapes.Role, "access")
edit_role = _patch("edit_role", "access", shapes.RolePatch, shapes.Role, special={409: WAITS})
delete_role = _write("delete_role", "access", 204, None)
create_invitation = _write(
    "create_invitation", "access", 201, shapes.SentInvitation, request=shapes.NewInvitation
)
revoke_invitation = _write("revoke_invitation", "access", 204, None)
create_key = _write("create_key", "access", 201, shapes.IssuedKey, request=shapes.NewKey)
edit_key = _patch("edit_key", "access", shapes.KeyPatch, shapes.Key)
revoke_key = _write("revoke_key", "access", 204, None)
