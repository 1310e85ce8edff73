"""What is known of an installation from before: who gave whom what, since when there are policies,
by which keys evidence was posted.

It is read from the rows of the history once, here, where a database has no other rows of it; only
what lies within the longest time that a policy can ask for. Open requests about policies say the
new field's value on both sides, which changes nothing that was agreed to, so their votes stay.
"""

import hashlib
import json
import re
from datetime import timedelta
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.utils import timezone

_DAYS = 90
_KINDS = {
    "user.created": "account",
    "user.activated": "activation",
    "user.password_changed": "password",
    "user.two_factor_disabled": "second_factor",
    "grant.given": "role",
    "group.member_added": "group",
}
_SELECTOR = re.compile(r" \(([a-z0-9]{16})\)\Z")


def find_first_policies(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The oldest row that says so; where that is purged, what the policy itself says."""
    environments = apps.get_model("access", "Environment").objects
    events = apps.get_model("audit", "AuditEvent").objects.filter(event="policy.set")
    for policy in apps.get_model("approvals", "Policy").objects.all():
        environments.filter(pk=policy.environment_id).update(governed_since=policy.updated_at)
    for event in events.order_by("-sequence").iterator():
        found = environments.filter(project__key=event.project, key=event.environment)
        found.update(governed_since=event.at)


def find_sponsorships(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """What people, and keys for their makers, gave others; and whom they invited."""
    since = timezone.now() - timedelta(days=_DAYS)
    events = apps.get_model("audit", "AuditEvent").objects.filter(event__in=_KINDS, at__gt=since)
    for event in events.exclude(actor_kind="system").order_by("sequence").iterator():
        _keep_event(apps, event)
    invitations = apps.get_model("access", "Invitation").objects.filter(accepted_at__gt=since)
    for invitation in invitations.select_related("accepted_by", "made_with"):
        _keep_invitation(apps, invitation)


def _keep_event(apps: StateApps, event: Any) -> None:
    users = apps.get_model("access", "User").objects
    after = json.loads(event.after) if event.after else {}
    project = apps.get_model("access", "Project").objects.filter(key=event.project).first()
    place = apps.get_model("access", "Environment").objects.filter(
        project__key=event.project, key=event.environment
    )
    sponsor, name = _sponsor(apps, event), ""
    people = users.filter(username=after.get("member") or event.subject)
    if event.event == "grant.given":
        name = str(after.get("role", ""))
        if event.subject_kind == "group":
            people = users.filter(
                project_groups__project=project, project_groups__key=event.subject
            )
    elif event.event == "group.member_added":
        name = event.subject
    for person in people:
        _keep(apps, sponsor, person, _KINDS[event.event], event.at, project, place.first(), name)


def _keep_invitation(apps: StateApps, invitation: Any) -> None:
    key, person, at = invitation.made_with, invitation.accepted_by, invitation.accepted_at
    sponsor = key.creator_id if key else invitation.inviter_id
    if person is None:
        return
    if person.date_joined >= at - timedelta(minutes=1):
        _keep(apps, sponsor, person, "invitation", at, None, None, "")
    place, project = invitation.environment, invitation.project
    _keep(apps, sponsor, person, "role", at, project, place, invitation.role)


def _sponsor(apps: StateApps, event: Any) -> int | None:
    rows, field = apps.get_model("access", "User").objects.all(), "pk"
    if event.actor_kind == "key":
        rows, field = apps.get_model("access", "ApiKey").objects.all(), "creator_id"
    found: int | None = rows.filter(pk=event.actor_id).values_list(field, flat=True).first()
    return found


def _keep(
    apps: StateApps,
    sponsor: int | None,
    person: Any,
    kind: str,
    at: Any,
    project: Any,
    environment: Any,
    name: str,
) -> None:
    if sponsor is not None and sponsor != person.pk:
        apps.get_model("access", "Sponsorship").objects.create(
            sponsor_id=sponsor,
            person=person,
            kind=kind,
            at=at,
            project=project if kind in ("role", "group") else None,
            environment=environment if kind == "role" else None,
            name=name,
        )


def find_keys_of_evidence(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Evidence says by its label with which key it was posted: “Scanner (k3y5elector…)”."""
    keys = dict(apps.get_model("access", "ApiKey").objects.values_list("selector", "pk"))
    for row in apps.get_model("approvals", "Evidence").objects.filter(posted_with=None):
        found = _SELECTOR.search(row.posted_by)
        if found and found[1] in keys:
            row.posted_with_id = keys[found[1]]
            row.save(update_fields=["posted_with"])


def complete_requests(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Open and rejected requests about policies, their votes, and the evidence about them."""
    requests = apps.get_model("approvals", "ChangeRequest").objects.filter(
        kind="policy", state__in=("open", "rejected")
    )
    for request in requests.select_related("project"):
        old = request.digest
        for document in (request.before, request.after):
            if document:
                document.setdefault("independence_days", 30)
        request.digest = _digest(request)
        request.save(update_fields=["before", "after", "digest"])
        request.votes.filter(digest=old).update(digest=request.digest)
        evidence = apps.get_model("approvals", "Evidence").objects
        evidence.filter(project=request.project, digest=old).update(digest=request.digest)


def _digest(request: Any) -> str:
    """As changes.digest_of had it when this was written."""
    places = sorted(request.environments.values_list("key", flat=True))
    parts = [request.kind, request.project.key, places, request.subject]
    parts += [request.base_version, request.before, request.after]
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0005_people"),
        ("access", "0012_people"),
        ("audit", "0004_history"),
    ]

    operations = [
        migrations.RunPython(find_first_policies, migrations.RunPython.noop),
        migrations.RunPython(find_sponsorships, migrations.RunPython.noop),
        migrations.RunPython(find_keys_of_evidence, migrations.RunPython.noop),
        migrations.RunPython(complete_requests, migrations.RunPython.noop),
    ]
