"""What each endpoint takes and answers, for the schema."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from drf_spectacular.utils import OpenApiParameter, extend_schema

from portal.access.models import KeyKind
from portal.access.rest import shapes
from portal.lib.api_schema import PAGING, answers, query

F = TypeVar("F", bound=Callable[..., Any])
KINDS: Final[list[str]] = [str(kind) for kind in KeyKind.values]
_ENVIRONMENT: Final = query("environment", "Only those of the environment of this key.")


def _read(
    name: str, shape: Any, tag: str, parameters: Sequence[OpenApiParameter] = ()
) -> Callable[[F], F]:
    return extend_schema(
        operation_id=name, tags=[tag], parameters=[*parameters], responses=answers(200, shape)
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
