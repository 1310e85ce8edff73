"""Who may do what, as the audit trail tells it, to be held against the tables.

The access package lies below the audit trail and cannot say it itself.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from portal.access.models import (
    ActionRule,
    ApiKey,
    ApproverConfirmation,
    CustomRole,
    Environment,
    Grant,
    Group,
    Project,
    User,
)
from portal.access.services.keys import EDITED
from portal.audit import states
from portal.audit.models import AuditEvent
from portal.audit.states import State, StateKey, StateSource

Held = Iterator[tuple[StateKey, dict[str, Any]]]
DELETED = "group.deleted"
_MEMBERSHIPS = ("group.member_added", "group.member_removed")
_KEYS = ("key.created", "key.edited", "key.evidence_set", "key.evidence_confirmed", "key.revoked")
_ACCOUNTS = ("user.created", "user.activated", "user.deactivated")
_PLACES = ("environment.created", "environment.edited", "environment.governed")
_HERE: dict[str, Any] = {"held": True}


def register() -> None:
    """Have roles, who holds them, reservations, groups, keys, accounts and the word of approvers
    for each other held against their rows, and projects with their environments."""
    sources: tuple[tuple[str, tuple[str, ...], Any, Any], ...] = (
        ("roles", ("role.created", "role.edited", "role.deleted"), _tell_role, _read_roles),
        ("reservations", ("rule.changed",), _tell_rule, _read_rules),
        ("holders", ("grant.given", "grant.revoked", DELETED), _tell_grant, _read_grants),
        ("members", (*_MEMBERSHIPS, DELETED), _tell_member, _read_members),
        ("keys", _KEYS, _tell_key, _read_keys),
        ("groups", ("group.created", "group.edited", DELETED), _tell_group, _read_groups),
        ("projects", ("project.created", "project.edited"), _tell_project, _read_projects),
        ("accounts", _ACCOUNTS, _tell_user, _read_users),
        ("environments", _PLACES, _tell_environment, _read_environments),
        ("confirmations", ("approver.confirmed",), _tell_confirmation, _read_confirmations),
    )
    for name, events, tell, read in sources:
        states.register(StateSource(name, frozenset(events), tell, read, is_partial=True))


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


def _tell_group(event: AuditEvent) -> Iterator[State]:
    yield StateKey("group", event.project, "", "group", event.subject), event.after_document


def _read_groups() -> Held:
    for group in Group.objects.select_related("project"):
        yield StateKey("group", group.project.key, "", "group", group.key), {"name": group.name}


def _tell_project(event: AuditEvent) -> Iterator[State]:
    yield StateKey("project", "", "", "project", event.subject), event.after_document


def _read_projects() -> Held:
    for project in Project.objects.all():
        yield StateKey("project", "", "", "project", project.key), {"name": project.name}


def _tell_environment(event: AuditEvent) -> Iterator[State]:
    """Since when it has a policy, rows say only where that was so later than they say it."""
    key = StateKey("environment", event.project, "", "environment", event.subject)
    after = event.after_document or {}
    yield key, after if event.event == "environment.created" else lambda said: said | after


def _read_environments() -> Held:
    for place in Environment.objects.select_related("project"):
        since = place.governed_since
        key = StateKey("environment", place.project.key, "", "environment", place.key)
        yield (
            key,
            {
                "kind": str(place.kind),
                "name": place.name,
                "governed_since": since and states.in_utc(since),
            },
        )


def _tell_key(event: AuditEvent) -> Iterator[State]:
    """Only live keys are told of: a revoked one lets nobody in, and is not to come back."""
    yield (
        StateKey("API key", event.project, event.environment, "key", event.subject),
        None if event.event == "key.revoked" else _key_after(event),
    )


def _key_after(event: AuditEvent) -> states.Document | states.Step:
    after: dict[str, Any] = dict(event.after_document or {})
    if event.event == "key.created":
        if after.get("expires_at"):
            after["expires_at"] = states.in_utc(datetime.fromisoformat(after["expires_at"]))
        # Before there were rights and evidence, no key could be given any.
        return {"rights": [], "evidence": [], "evidence_confirmed_by": None} | after
    if event.event == "key.evidence_confirmed":
        return lambda said: said | {"evidence_confirmed_by": event.actor}
    if event.event == "key.evidence_set":
        by = {"evidence_by": event.actor if event.actor_kind == "user" else None}
        return lambda said: said | after | by | {"evidence_confirmed_by": None}
    # The rest of what it says was read outside the lock.
    edited = {name: after[name] for name in EDITED if name in after}
    return lambda said: said | edited


def _read_keys() -> Held:
    live = ApiKey.objects.filter(revoked_at__isnull=True).select_related(
        "environment__project", "creator", "evidence_by", "evidence_confirmed_by"
    )
    for one in live.iterator(chunk_size=500):
        place, confirmer = one.environment, one.evidence_confirmed_by
        key = StateKey("API key", place.project.key, place.key, "key", one.selector)
        yield key, one.document | {"evidence_confirmed_by": confirmer and confirmer.username}


def _tell_user(event: AuditEvent) -> Iterator[State]:
    key, after = StateKey("account", "", "", "user", event.subject), event.after_document or {}
    if event.event == "user.created":
        administers = bool(after.get("site_administrator"))
        yield key, {"site_administrator": administers, "active": True}
    else:
        yield key, lambda said: said | {"active": event.event == "user.activated"}


def _read_users() -> Held:
    for user in User.objects.iterator(chunk_size=500):
        key = StateKey("account", "", "", "user", user.username)
        yield key, {"site_administrator": user.is_superuser, "active": user.is_active}


def _tell_confirmation(event: AuditEvent) -> Iterator[State]:
    """The last time that one person confirmed another: it holds for what was given before it."""
    kind = f"confirmation by {event.actor} of"
    yield StateKey(kind, event.project, "", "user", event.subject), event.after_document or {}


def _read_confirmations() -> Held:
    last = {
        StateKey(
            f"confirmation by {one.confirmed_by.username} of",
            one.project.key,
            "",
            "user",
            one.person.username,
        ): {"at": states.in_utc(one.at)}
        for one in ApproverConfirmation.objects.select_related("project", "person", "confirmed_by")
    }
    yield from last.items()
