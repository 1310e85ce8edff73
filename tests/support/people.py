"""The people of the tests, what they work on, and a browser for each.

Alice may do everything in her project ``shop``, Dana edits its flags, Bob is in the team but may
only look, Charlie is a stranger with a project ``garden`` of his own.
"""

import time
from datetime import datetime

import pytest
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from flags.core import definitions
from flags.models import Flag
from portal.access import authority, services
from portal.access.models import Environment, Grant, Group, Project, User
from portal.access.permissions import BuiltinRole
from portal.lib import clock, journal
from portal.lib.journal import Actor, Intent, Trace
from tests.support.remembering import remembered

PASSWORD = "correct-horse-battery"
SETTING_UP = journal.system("tests")
_ADMIN = BuiltinRole.PROJECT_ADMIN


def acting(user: User) -> Actor:
    """The actor for someone, as a view would make it."""
    return authority.user_actor(user, Trace("a-request", "192.0.2.7", "a browser"))


def create_person(name: str) -> User:
    pk = remembered(
        f"person {name}",
        lambda: (
            services.create_user(username=name, password=PASSWORD, intent=Intent(SETTING_UP)).pk
        ),
    )
    return User.objects.get(pk=pk)


def create_project(key: str, *members: tuple[User, str]) -> Project:
    """A project with its three environments, and those who have a role in it."""

    def make() -> int:
        project = services.create_project(key=key, name=key.capitalize(), intent=Intent(SETTING_UP))
        for user, role in members:
            give_role(project, user, role)
        return project.pk

    return Project.objects.get(pk=remembered(f"project {key} of {members}", make))


def give_role(
    project: Project, to: User | Group, role: str, environment: Environment | None = None
) -> Grant:
    """Give somebody a role, in one environment or in all."""
    pk = remembered(
        f"{role} of {project.pk} in {environment and environment.pk} for {to!r} {to.pk}",
        lambda: (
            services.grant_role(
                project=project,
                to=to,
                role=role,
                environment=environment,
                intent=Intent(SETTING_UP),
            ).pk
        ),
    )
    return Grant.objects.get(pk=pk)


def client_of(user: User) -> Client:
    """A browser in which someone has just signed in."""
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = remembered(
        f"signed in {user.pk}", lambda: _sign_in(user)
    )
    return client


def _sign_in(user: User) -> str:
    """What signing in by the page leaves, without all that it asks."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    _prove(session, user, at=time.time())
    User.objects.filter(pk=user.pk).update(last_login=clock.now())
    # Else the first page of every browser would note it.
    UserSession.objects.create(user=user, session_key=session.session_key, ip="127.0.0.1")
    return str(session.session_key)


def prove(client: Client, user: User, *, at: float) -> None:
    """Make it so that someone proved with their password at that time who they are."""
    _prove(client.session, user, at=at)


def _prove(session: SessionBase, user: User, *, at: float) -> None:
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": at}]
    session[f"{AUTHENTICATION_METHODS_SESSION_KEY}_user"] = str(user.pk)
    session.save()


def boolean_flag(key: str = "new-checkout") -> dict[str, object]:
    """The definition of a flag that is on or off."""
    return {
        "key": key,
        "name": key.replace("-", " ").capitalize(),
        "kind": "release",
        "value_type": "boolean",
        "variants": [{"key": "on", "value": True}, {"key": "off", "value": False}],
    }


def create_flag(project: Project, document: dict[str, object]) -> Flag:
    pk = remembered(
        f"flag of {project.pk}: {document}",
        lambda: (
            definitions.create_flag(
                project=project, document=document, intent=Intent(SETTING_UP)
            ).pk
        ),
    )
    return Flag.objects.get(pk=pk)


@pytest.fixture
def now() -> datetime:
    return clock.now()


@pytest.fixture
def alice(db: None) -> User:
    return create_person("alice")


@pytest.fixture
def bob(db: None) -> User:
    return create_person("bob")


@pytest.fixture
def charlie(db: None) -> User:
    return create_person("charlie")


@pytest.fixture
def dana(db: None) -> User:
    return create_person("dana")


@pytest.fixture
def shop(alice: User, bob: User, dana: User) -> Project:
    roles = ((alice, _ADMIN), (bob, BuiltinRole.VIEWER), (dana, BuiltinRole.DEVELOPER))
    return create_project("shop", *roles)


@pytest.fixture
def garden(charlie: User) -> Project:
    return create_project("garden", (charlie, _ADMIN))


@pytest.fixture
def development(shop: Project) -> Environment:
    return shop.environments.get(key="development")


@pytest.fixture
def staging(shop: Project) -> Environment:
    return shop.environments.get(key="staging")


@pytest.fixture
def production(shop: Project) -> Environment:
    return shop.environments.get(key="production")


@pytest.fixture
def new_checkout(shop: Project) -> Flag:
    """A boolean flag of the shop, off everywhere."""
    return create_flag(shop, boolean_flag())


@pytest.fixture
def alice_client(alice: User) -> Client:
    return client_of(alice)


@pytest.fixture
def bob_client(bob: User) -> Client:
    return client_of(bob)


@pytest.fixture
def charlie_client(charlie: User) -> Client:
    return client_of(charlie)


@pytest.fixture
def dana_client(dana: User) -> Client:
    return client_of(dana)
