from collections.abc import Callable

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import services
from portal.access.models import Environment, Project, User
from portal.lib.commands import operator
from portal.lib.errors import Invalid
from portal.lib.journal import Actor, Intent


def find_environment(project_key: str, environment_key: str) -> Environment | None:
    found = Environment.objects.select_related("project")
    return found.filter(project__key=project_key, key=environment_key).first()


def find_person(username: str | None) -> User | None:
    """The person whom a command names; None where it names nobody.

    Raises Invalid for an unknown name, or where their account is deactivated.
    """
    if username is None:
        return None
    found = User.objects.filter(username=username, is_active=True).first()
    if found is None:
        raise Invalid.of("", _("Nobody called {name} has an active account here."), name=username)
    return found


def operator_for(command: str, username: str | None) -> Actor:
    """The actor for a command that names who answers for what it asks others to approve.

    Raises Invalid as find_person.
    """
    person = find_person(username)
    if person is None:
        return operator(command)
    return operator(command, person=person.username, person_id=str(person.pk))


@transaction.atomic
def ensure_environment(
    *, project_key: str, environment_key: str, intent: Intent, tell: Callable[[str], object]
) -> Environment:
    """The environment, created together with its project where missing; says so through ``tell``.

    Raises Invalid for a malformed key.
    """
    project = Project.objects.filter(key=project_key).first()
    if project is None:
        project = services.create_project(key=project_key, name=project_key, intent=intent)
        tell(f"created project {project_key}")
    environment = project.environments.filter(key=environment_key).first()
    if environment is None:
        environment = services.create_environment(
            project=project,
            key=environment_key,
            kind=services.guess_kind(environment_key),
            intent=intent,
        )
        tell(f"created environment {project_key}/{environment_key}")
    return environment
