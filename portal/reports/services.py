from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _, gettext_lazy, ngettext

from portal.access import authority, outbox, overview, services as access
from portal.access.models import ApiKey, Project
from portal.access.permissions import Permission
from portal.lib.errors import Invalid
from portal.lib.journal import Actor, ActorKind, Intent
from portal.lib.subjects import Menu, Recorded, Subject, page_at
from portal.reports.models import Decision, Recertification, RecertificationItem


@transaction.atomic
def start_recertification(*, project: Project, intent: Intent) -> Recertification:
    """List every role and usable key of a project, to be looked at one by one.

    Raises Forbidden without ``member.manage``, Invalid while another round is open.
    """
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=project)
    outbox.lock_people(project)
    if project.recertifications.filter(signed_off_at__isnull=True).exists():
        raise Invalid({"": _("A recertification is open already; sign it off first.")})
    started = Recertification.objects.create(
        project=project, started_at=intent.at, started_by=intent.actor.label
    )
    items = [*_items_of_grants(started), *_items_of_keys(started, intent.at)]
    RecertificationItem.objects.bulk_create(items)
    intent.record("recertification.started", started, after={"items": len(items)})
    return started


@transaction.atomic
def confirm_item(*, item: RecertificationItem, intent: Intent) -> None:
    """Say that a role or key is still needed. Again changes nothing.

    Raises Forbidden without ``member.manage``; Invalid for what one holds oneself, for what is
    gone, and once the round is signed off.
    """
    item = _locked(item, intent.actor)
    if item.is_gone:
        raise Invalid({"": _("It was taken away already; there is nothing to confirm.")})
    if item.decision == Decision.OPEN:
        _decide(item, Decision.CONFIRMED, "recertification.confirmed", intent)


@transaction.atomic
def revoke_item(*, item: RecertificationItem, intent: Intent) -> None:
    """Take a role or key away. Again changes nothing.

    Raises as confirm_item, and where nobody could manage the members any more; Forbidden for a
    key without ``key.manage``.
    """
    item = _locked(item, intent.actor)
    if item.is_gone:
        return
    if item.grant:
        access.revoke_grant(grant=item.grant, intent=intent)
        item.grant = None
    elif item.api_key:
        access.revoke_key(key=item.api_key, intent=intent)
    _decide(item, Decision.REVOKED, "recertification.revoked", intent)


@transaction.atomic
def sign_off(*, recertification: Recertification, intent: Intent) -> None:
    """Close a round with one's name. Raises Invalid while anything has not been looked at."""
    project = recertification.project
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=project)
    outbox.lock_people(project)
    items = list(recertification.items.select_related("grant", "api_key"))
    left = sum(item.is_undecided for item in items)
    if left:
        raise Invalid.of(
            "",
            ngettext(
                "{count} role or key has not been looked at yet.",
                "{count} roles and keys have not been looked at yet.",
                left,
            ),
            count=left,
        )
    unsigned = Recertification.objects.filter(pk=recertification.pk, signed_off_at__isnull=True)
    if unsigned.update(signed_off_at=intent.at, signed_off_by=intent.actor.label):
        counted: dict[str, object] = {
            "items": len(items),
            "confirmed": sum(item.decision == Decision.CONFIRMED for item in items),
            "taken_away": sum(item.decision == Decision.REVOKED for item in items),
        }
        intent.record("recertification.signed_off", recertification, after=counted)


def is_own(item: RecertificationItem, actor: Actor) -> bool:
    """Whether somebody would judge what they hold, or made, themselves."""
    if actor.kind is not ActorKind.USER:
        return False
    if item.api_key:
        return str(item.api_key.creator_id) == actor.id
    if item.grant is None:
        return False
    if item.grant.group:
        return item.grant.group.members.filter(pk=actor.id).exists()
    return str(item.grant.user_id) == actor.id


def _locked(item: RecertificationItem, actor: Actor) -> RecertificationItem:
    """The item as it is now, with nobody else deciding; refused where the actor may not."""
    project = item.recertification.project
    authority.require(actor, Permission.MEMBER_MANAGE, project=project)
    outbox.lock_people(project)
    rows = RecertificationItem.objects.select_related(
        "recertification__project", "grant__project", "grant__user", "grant__group"
    )
    item = rows.select_related("grant__environment", "api_key__environment__project").get(
        pk=item.pk
    )
    if not item.recertification.is_open:
        raise Invalid({"": _("This recertification is signed off; start a new one.")})
    if is_own(item, actor):
        raise Invalid({"": _("Somebody else has to decide about what is your own.")})
    return item


def _decide(item: RecertificationItem, decision: Decision, event: str, intent: Intent) -> None:
    item.decision, item.decided_by, item.decided_at = decision, intent.actor.label, intent.at
    item.save(update_fields=["grant", "decision", "decided_by", "decided_at"])
    told: dict[str, object] = {"holder": item.holder, "what": item.what, "where": item.place}
    intent.record(event, item.recertification, after=told)


def _items_of_grants(started: Recertification) -> list[RecertificationItem]:
    labels = overview.role_labels(started.project)
    grants = started.project.grants.select_related("user", "group", "environment")
    return [
        RecertificationItem(
            recertification=started,
            grant=grant,
            holder=grant.user.username
            if grant.user
            else _("group {name}").format(name=grant.group.name if grant.group else ""),
            what=labels.get(grant.role, grant.role),
            place=grant.environment.name if grant.environment else _("all environments"),
        )
        for grant in grants
    ]


def _items_of_keys(started: Recertification, now: datetime) -> list[RecertificationItem]:
    keys = ApiKey.objects.usable(now=now).filter(environment__project=started.project)
    return [
        RecertificationItem(
            recertification=started,
            api_key=key,
            holder=key.created_by,
            what=_("{kind} key “{name}”").format(kind=key.get_kind_display(), name=key.name),
            place=key.environment.name,
        )
        for key in keys.select_related("environment")
    ]


def _each(events: Sequence[Recorded]) -> list[list[str]]:
    return [_sentences(event.after_document or {}) for event in events]


def _sentences(told: dict[str, object]) -> list[str]:
    if "what" in told:
        return [_("{holder}: {what}, {where}.").format(**told)]
    if "confirmed" in told:
        return [_("{confirmed} of {items} confirmed, {taken_away} taken away.").format(**told)]
    return [_("{items} roles and keys to look at.").format(items=told.get("items", 0))]


RECERTIFICATION = Subject(
    kind="recertification",
    menu=Menu(100, gettext_lazy("Reports"), "report", "report-list"),
    label=gettext_lazy("recertification"),
    events={
        "recertification.started": gettext_lazy("started the recertification"),
        "recertification.confirmed": gettext_lazy("confirmed in the recertification"),
        "recertification.revoked": gettext_lazy("took away in the recertification"),
        "recertification.signed_off": gettext_lazy("signed off the recertification"),
    },
    describe=_each,
    address=page_at("recertification"),
)
