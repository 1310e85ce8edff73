"""Who may do what, as the audit trail tells it, to be held against the tables.

The access package lies below the audit trail and cannot say it itself.
"""

from collections.abc import Iterator
from typing import Any

from portal.access.models import ActionRule, ApiKey, CustomRole, Environment, Grant, Group, User
from portal.audit import states
from portal.audit.models import AuditEvent
from portal.audit.states import State, StateKey, StateSource

Held = Iterator[tuple[StateKey, dict[str, Any]]]
DELETED = "group.deleted"
_MEMBERSHIPS = ("group.member_added", "group.member_removed")
_EVIDENCE = ("key.created", "key.evidence_set", "key.revoked")
_HERE: dict[str, Any] = {"held": True}


def register() -> None:
    """Have roles, who holds them, reservations, keys and administrators held against their rows."""
    for name, events, tell, read in (
        ("roles", ("role.created", "role.edited", "role.deleted"), _tell_role, _read_roles),
        ("reservations", ("rule.changed",), _tell_rule, _read_rules),
        ("holders", ("grant.given", "grant.revoked", DELETED), _tell_grant, _read_grants),
        ("members", (*_MEMBERSHIPS, DELETED), _tell_member, _read_members),
        ("keys", ("key.created", "key.revoked"), _tell_key, _read_keys),
        ("evidence", _EVIDENCE, _tell_evidence, _read_evidence),
        ("accounts", ("user.created",), _tell_user, _read_users),
    ):
        states.register(StateSource(name, frozenset(events), tell, read))


def _tell_role(event: AuditEvent) -> Iterator[State]:
    after = event.after_document
    permissions = after and {"permissions": after["permissions"]}
    yield StateKey("role", event.project, "", "role", event.subject), permissions


def _read_roles() -> Held:
    for role in CustomRole.objects.select_related("project"):
        key = StateKey("role", role.project.key, "", "role", role.key)
        yield key, {"permissions": role.permissions}


def _tell_rule(event: AuditEvent) -> Iterator[State]:
    key = StateKey("reservation", event.project, event.environment, "rule", event.subject)
    yield key, event.after_document


def _read_rules() -> Held:
    for rule in ActionRule.objects.select_related("environment__project"):
        place = rule.environment
        key = StateKey("reservation", place.project.key, place.key, "rule", rule.permission)
        yield key, {"roles": rule.roles}


def _tell_grant(event: AuditEvent) -> Iterator[State]:
    """A role is part of what is told of: a person may hold several."""
    if event.event == DELETED:
        places = Environment.objects.filter(project__key=event.project)
        for role in _before(event, "roles"):
            for place in ("", *places.values_list("key", flat=True)):
                yield (
                    StateKey(f"role {role} of", event.project, place, "group", event.subject),
                    None,
                )
        return
    role = str((event.after_document or event.before_document or {})["role"])
    key = StateKey(
        f"role {role} of", event.project, event.environment, event.subject_kind, event.subject
    )
    yield key, _HERE if event.event == "grant.given" else None


def _read_grants() -> Held:
    for grant in Grant.objects.select_related("project", "environment", "user", "group"):
        kind, holder = ("user", grant.user.username) if grant.user else ("group", "")
        holder = grant.group.key if grant.group else holder
        place = grant.environment.key if grant.environment else ""
        yield StateKey(f"role {grant.role} of", grant.project.key, place, kind, holder), _HERE


def _tell_member(event: AuditEvent) -> Iterator[State]:
    if event.event == DELETED:
        for member in _before(event, "members"):
            yield (
                StateKey(f"member {member} of group", event.project, "", "group", event.subject),
                None,
            )
        return
    member = str((event.after_document or event.before_document or {})["member"])
    key = StateKey(f"member {member} of group", event.project, "", "group", event.subject)
    yield key, _HERE if event.event == "group.member_added" else None


def _read_members() -> Held:
    for group in Group.objects.select_related("project").prefetch_related("members"):
        for user in group.members.all():
            kind = f"member {user.username} of group"
            yield StateKey(kind, group.project.key, "", "group", group.key), _HERE


def _before(event: AuditEvent, name: str) -> list[Any]:
    found = (event.before_document or {}).get(name)
    return found if isinstance(found, list) else []


def _tell_key(event: AuditEvent) -> Iterator[State]:
    after = event.after_document
    told = after and {"kind": after["kind"], "rights": after.get("rights", [])}
    yield StateKey("API key", event.project, event.environment, "key", event.subject), told


def _read_keys() -> Held:
    live = ApiKey.objects.filter(revoked_at__isnull=True)
    for one in live.select_related("environment__project"):
        place = one.environment
        key = StateKey("API key", place.project.key, place.key, "key", one.selector)
        yield key, {"kind": str(one.kind), "rights": one.rights}


def _tell_evidence(event: AuditEvent) -> Iterator[State]:
    """Which evidence a key may post; before it was asked for, no key could be given any."""
    after = event.after_document
    told = after and {"evidence": after.get("evidence", [])}
    yield StateKey("evidence of", event.project, event.environment, "key", event.subject), told


def _read_evidence() -> Held:
    live = ApiKey.objects.filter(revoked_at__isnull=True)
    for one in live.select_related("environment__project"):
        place = one.environment
        key = StateKey("evidence of", place.project.key, place.key, "key", one.selector)
        yield key, {"evidence": one.evidence}


def _tell_user(event: AuditEvent) -> Iterator[State]:
    after = event.after_document or {}
    told = {"site_administrator": bool(after.get("site_administrator"))}
    yield StateKey("account", "", "", "user", event.subject), told


def _read_users() -> Held:
    for user in User.objects.all():
        key = StateKey("account", "", "", "user", user.username)
        yield key, {"site_administrator": user.is_superuser}
