"""Projects and environments that commands find missing."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from portal.access import services
from portal.access.models import Environment, Project
from portal.lib.journal import Actor


def find_environment(project_key: str, environment_key: str) -> Environment | None:
    """An environment by its keys; None where there is none."""
    found = Environment.objects.select_related("project")
    return found.filter(project__key=project_key, key=environment_key).first()


@transaction.atomic
def ensure_environment(
    *,
    project_key: str,
    environment_key: str,
    actor: Actor,
    now: datetime,
    tell: Callable[[str], object],
) -> Environment:
    """The environment, created together with its project where missing; says so through ``tell``.

    Raises Invalid for a malformed key.
    """
    project = Project.objects.filter(key=project_key).first()
    if project is None:
        project = services.create_project(key=project_key, name=project_key, actor=actor, now=now)
        tell(f"created project {project_key}")
    environment = project.environments.filter(key=environment_key).first()
    if environment is None:
        environment = services.create_environment(
            project=project,
            key=environment_key,
            kind=services.guess_kind(environment_key),
            actor=actor,
            now=now,
        )
        tell(f"created environment {project_key}/{environment_key}")
    environment.project = project
    return environment
