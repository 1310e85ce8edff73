"""Everything that changes projects, environments, members and API keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import (
    ApiKey,
    Environment,
    EnvironmentKind,
    Membership,
    Project,
    User,
    new_epoch,
)
from portal.access.permissions import Permission, Role
from portal.access.signals import environment_created
from portal.access.tokens import Token, new_token
from portal.lib import journal
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Actor, ActorKind, Entry

STANDARD_ENVIRONMENTS = (
    ("development", EnvironmentKind.DEVELOPMENT),
    ("staging", EnvironmentKind.STAGING),
    ("production", EnvironmentKind.PRODUCTION),
)


def guess_kind(key: str) -> EnvironmentKind:
    """What an environment's name says of it. Unknown names count as development."""
    if key in ("production", "prod", "live"):
        return EnvironmentKind.PRODUCTION
    if key in ("staging", "stage", "preprod", "uat"):
        return EnvironmentKind.STAGING
    return EnvironmentKind.DEVELOPMENT


@transaction.atomic
def create_project(*, key: str, name: str, actor: Actor, now: datetime) -> Project:
    """Create a project with its three standard environments; its creator becomes its admin.

    Raises Invalid when the key is malformed or taken, Forbidden when an API key asks.
    """
    if actor.kind is ActorKind.KEY:
        raise Forbidden(_("create projects"))
    project = Project(key=key, name=name.strip() or key, created_at=now)
    _validate(project)
    project.save()
    journal.write(
        Entry(
            event="project.created",
            actor=actor,
            subject_kind="project",
            subject=key,
            project=key,
            after={"name": project.name},
        )
    )
    for environment_key, kind in STANDARD_ENVIRONMENTS:
        create_environment(
            project=project, key=environment_key, kind=kind, actor=journal.system("new project"), now=now
        )
    if actor.kind is ActorKind.USER:
        creator = User.objects.get(pk=actor.id)
        _set_role(project=project, user=creator, role=Role.ADMIN, actor=actor)
    return project


@transaction.atomic
def create_environment(
    *, project: Project, key: str, kind: EnvironmentKind, actor: Actor, now: datetime
) -> Environment:
    """Add an environment to a project. Raises Invalid when the key is malformed or taken."""
    authority.require(actor, Permission.ENVIRONMENT_CONFIGURE, project=project)
    environment = Environment(
        project=project,
        key=key,
        name=key.replace("-", " ").capitalize(),
        kind=kind,
        position=project.environments.count(),
    )
    _validate(environment)
    environment.save()
    journal.write(
        Entry(
            event="environment.created",
            actor=actor,
            subject_kind="environment",
            subject=key,
            project=project.key,
            environment=key,
            after={"kind": str(kind)},
        )
    )
    environment_created.send(sender=None, environment=environment, now=now)
    outbox.nudge([environment.pk])
    return environment


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key and its token, which is shown once and kept nowhere."""

    key: ApiKey
    token: Token


@transaction.atomic
def issue_key(
    *,
    environment: Environment,
    kind: str,
    name: str,
    actor: Actor,
    now: datetime,
    expires_at: datetime | None = None,
    allowed_origins: Sequence[str] = (),
) -> IssuedKey:
    """Create an API key.

    Raises Forbidden without ``key.manage``, Invalid for an unknown kind, an empty name or an
    expiry in the past.
    """
    project = environment.project
    authority.require(actor, Permission.KEY_MANAGE, project=project, environment=environment)
    if expires_at is not None and expires_at <= now:
        raise Invalid({"expires_at": _("Choose a time in the future, or none.")})
    (locked,) = outbox.lock_environments([environment])
    token = new_token(kind)
    key = ApiKey(
        environment=environment,
        kind=kind,
        name=name.strip(),
        selector=token.selector,
        verifier=token.verifier,
        allowed_origins=list(allowed_origins),
        created_by=actor.label,
        created_at=now,
        expires_at=expires_at,
    )
    _validate(key)
    key.save()
    version = outbox.advance(locked, kind=outbox.KEY, keys=[key.selector], now=now)
    _record_key(key, "key.created", actor, version, after=_describe_key(key))
    return IssuedKey(key, token)


@transaction.atomic
def revoke_key(*, key: ApiKey, actor: Actor, now: datetime) -> None:
    """Revoke a key at once and for good; doing it again changes nothing."""
    environment = key.environment
    authority.require(
        actor, Permission.KEY_MANAGE, project=environment.project, environment=environment
    )
    (locked,) = outbox.lock_environments([environment])
    if not ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now):
        return
    version = outbox.advance(locked, kind=outbox.KEY, keys=[key.selector], now=now)
    _record_key(key, "key.revoked", actor, version, before=_describe_key(key))


@transaction.atomic
def set_role(*, project: Project, user: User, role: str, actor: Actor) -> Membership:
    """Make someone a member, or change what they are. Raises Invalid for an unknown role."""
    authority.require(actor, Permission.MEMBER_MANAGE, project=project)
    if role not in Role.values:
        raise Invalid({"role": _("Choose one of: {roles}.").format(roles=", ".join(Role.values))})
    return _set_role(project=project, user=user, role=role, actor=actor)


@transaction.atomic
def create_user(
    *, username: str, password: str, actor: Actor, is_superuser: bool = False
) -> User:
    """Create someone who can sign in. Raises Invalid when the name is taken or malformed."""
    user = User(username=username, is_superuser=is_superuser, is_staff=is_superuser)
    user.set_password(password)
    _validate(user)
    user.save()
    journal.write(
        Entry(
            event="user.created",
            actor=actor,
            subject_kind="user",
            subject=username,
            after={"site_administrator": is_superuser},
        )
    )
    return user


@transaction.atomic
def renew_epoch(*, environment_id: int, seen_epoch: str, seen_version: int) -> Environment:
    """Start a new history where evaluators know a state that the database does not.

    That is so after the database was set back to a backup. Without a new epoch the evaluators
    would refuse the repeated versions as older than what they have. Returns the environment;
    leaves it alone where somebody has renewed its epoch already.
    """
    environment = Environment.objects.select_for_update().get(pk=environment_id)
    if (seen_epoch, seen_version) <= (environment.epoch, environment.version):
        return environment
    # Later than the one seen, even where this machine's clock was set back as well.
    environment.epoch = max(new_epoch(), seen_epoch + "0")
    environment.save(update_fields=["epoch"])
    journal.write(
        Entry(
            event="environment.epoch_renewed",
            actor=journal.system("relay"),
            subject_kind="environment",
            subject=environment.key,
            project=environment.project.key,
            environment=environment.key,
            version=environment.version,
            reason=f"evaluators had seen version {seen_version}: the database was set back",
        )
    )
    return environment


def _set_role(*, project: Project, user: User, role: str, actor: Actor) -> Membership:
    before = Membership.objects.select_for_update().filter(project=project, user=user).first()
    membership, _created = Membership.objects.update_or_create(
        project=project, user=user, defaults={"role": role}
    )
    journal.write(
        Entry(
            event="member.role_set",
            actor=actor,
            subject_kind="user",
            subject=user.username,
            project=project.key,
            before={"role": before.role} if before else None,
            after={"role": str(role)},
        )
    )
    return membership


def _describe_key(key: ApiKey) -> dict[str, object]:
    """What the audit trail keeps of a key: nothing that lets anyone in."""
    return {
        "name": key.name,
        "kind": str(key.kind),
        "selector": key.selector,
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "allowed_origins": key.allowed_origins,
    }


def _record_key(
    key: ApiKey,
    event: str,
    actor: Actor,
    version: int,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    journal.write(
        Entry(
            event=event,
            actor=actor,
            subject_kind="key",
            subject=key.selector,
            project=key.environment.project.key,
            environment=key.environment.key,
            version=version,
            before=before,
            after=after,
        )
    )


def _validate(instance: Project | Environment | ApiKey | User) -> None:
    """Check a row by its own rules. Raises Invalid, naming the fields."""
    try:
        instance.full_clean(exclude=["password"])
    except ValidationError as error:
        raise Invalid({field: " ".join(texts) for field, texts in error.message_dict.items()}) from None


