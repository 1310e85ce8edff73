"""Projects and access as the API answers them: never anything that lets anybody in."""

from datetime import datetime

from portal.access.models import ApiKey, Environment, Grant, Group, Invitation, Project
from portal.access.overview import HeldRole, Member, RoleLine


def project(project: Project) -> dict[str, object]:
    return {
        "key": project.key,
        "name": project.name,
        "created_at": project.created_at.isoformat(),
    }


def environment(environment: Environment) -> dict[str, object]:
    return {
        "key": environment.key,
        "name": environment.name,
        "kind": environment.kind,
        "position": environment.position,
        "version": environment.version,
    }


def member(member: Member) -> dict[str, object]:
    return {
        "username": member.user.username,
        "active": member.user.is_active,
        "roles": [_held(one) for one in member.roles],
    }


def grant(grant: Grant) -> dict[str, object]:
    return {
        "id": grant.pk,
        "member": grant.user.username if grant.user else None,
        "group": grant.group.key if grant.group else None,
        "role": grant.role,
        "environment": _key(grant.environment),
        "given_at": grant.given_at.isoformat(),
    }


def group(group: Group) -> dict[str, object]:
    return {
        "key": group.key,
        "name": group.name,
        "members": sorted(user.username for user in group.members.all()),
    }


def role(line: RoleLine) -> dict[str, object]:
    return {
        "key": line.key,
        "name": str(line.label),
        "permissions": sorted(map(str, line.permissions)),
        "custom": line.custom is not None,
        "given": line.given,
    }


def invitation(invitation: Invitation, now: datetime) -> dict[str, object]:
    accepted = invitation.accepted_by
    return {
        "id": invitation.selector,
        "role": invitation.role,
        "environment": _key(invitation.environment),
        "note": invitation.note,
        "state": str(invitation.state_at(now)),
        "created_by": invitation.created_by,
        "created_at": invitation.created_at.isoformat(),
        "expires_at": invitation.expires_at.isoformat(),
        "accepted_by": accepted.username if accepted else None,
    }


def key(key: ApiKey) -> dict[str, object]:
    return {
        "selector": key.selector,
        "name": key.name,
        "kind": key.kind,
        "environment": key.environment.key,
        "allowed_origins": key.allowed_origins,
        "rate_limit": key.rate_limit,
        "burst_limit": key.burst_limit,
        "rights": key.rights,
        "evidence": key.evidence,
        "created_by": key.created_by,
        "created_at": key.created_at.isoformat(),
        "last_used_at": _moment(key.last_used_at),
        "expires_at": _moment(key.expires_at),
        "revoked_at": _moment(key.revoked_at),
    }


def _held(held: HeldRole) -> dict[str, object]:
    return {
        "role": held.grant.role,
        "environment": _key(held.grant.environment),
        "group": held.group.key if held.group else None,
    }


def _key(environment: Environment | None) -> str | None:
    """None for all environments."""
    return environment.key if environment else None


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
