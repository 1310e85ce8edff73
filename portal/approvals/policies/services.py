"""Setting an environment's approval policy. What lowers it, the old one must approve."""

from collections.abc import Set
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.access.services import NotByKeys
from portal.approvals import gate
from portal.approvals.changes import Change
from portal.approvals.descriptions import field_names, policy_changes, policy_sentences
from portal.approvals.handlers import (
    Document,
    Handler,
    Merged,
    Outcome,
    Side,
    Sides,
    Wanted,
    edited_at,
    merge_whole,
    page_at,
)
from portal.approvals.models import POLICY_FIELDS, ChangeRequest, Policy
from portal.approvals.policies.rules import Names, complete, is_lowering, problems_of
from portal.approvals.services.requests import gated
from portal.lib import clock, merging
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import Intent

POLICY = "policy"
_PARTS: merging.Parts = {
    "required_roles": merging.Merging.members,
    "break_glass": merging.Merging.members,
    "evidence": merging.Merging.fields,
}


@gated
def set_policy(
    *,
    environment: Environment,
    document: Document | None,
    intent: Intent,
    expected_version: int | None = None,
) -> Policy | None:
    """Give an environment another policy; None takes it away.

    Raises Forbidden without ``environment.configure``; Invalid with each field that is wrong;
    Conflict where the policy is no longer at ``expected_version`` (0 where there was none);
    Waiting where it lowers the policy: then the old one has to approve it.
    """
    project = environment.project
    gate.require(intent, Permission.ENVIRONMENT_CONFIGURE, project=project, environment=environment)
    outbox.lock_people(project)
    (locked,) = outbox.lock_environments([environment])
    wanted = None if document is None else complete(document)
    if wanted is not None:
        _check(wanted, locked)
    current = Policy.objects.filter(environment=locked).first()
    before, version = (current.document, current.version) if current else (None, 0)
    if expected_version is not None and expected_version != version:
        raise Conflict(
            _("Someone changed this policy meanwhile."), current=before or {}, yours=wanted or {}
        )
    if wanted == before:
        return current
    if before is not None and is_lowering(before, wanted):
        intent = gate.check(_change(locked, version, before, wanted), intent).intent
    return _store(locked, current, wanted, intent=intent)


def names_for(environment: Environment) -> Names:
    project = environment.project
    rules = {
        rule.permission: frozenset(rule.roles)
        for rule in environment.rules.filter(permission=Permission.CHANGE_REQUEST_APPROVE)
    }
    approve = {Permission.CHANGE_REQUEST_APPROVE}
    reserved = rules.get(str(Permission.CHANGE_REQUEST_APPROVE))
    roles = {
        name: held if reserved is None else held | approve if name in reserved else held - approve
        for name, held in authority.role_table(project).items()
    }
    return Names(roles, frozenset(project.groups.values_list("key", flat=True)))


def on_name_removing(*, project: Project, name: str, **_signal: Any) -> None:
    """Keep roles and groups that a policy names: who could satisfy it without them?"""
    policies = Policy.objects.filter(environment__project=project).select_related("environment")
    for policy in policies:
        if name in policy.required_roles or name in policy.break_glass:
            text = _("The policy of {environment} names {name}; change the policy first.")
            raise Invalid({"": text.format(environment=policy.environment.name, name=name)})


def on_handing_out(*, project: Project, names: Set[str], **_signal: Any) -> None:
    """Keep keys from naming who may act first and be reviewed later."""
    for policy in Policy.objects.filter(environment__project=project):
        if names & {*policy.break_glass, *policy.required_roles}:
            text = _("A policy names this role or group, so a person gives it, not an API key.")
            raise NotByKeys(text)


def _check(wanted: Document, environment: Environment) -> None:
    problems = problems_of(wanted, names_for(environment))
    if problems:
        raise Invalid(problems)


def _change(
    environment: Environment, version: int, before: Document, wanted: Document | None
) -> Change:
    text = _("Lower the approval policy of {environment}")
    return Change(
        kind=POLICY,
        project=environment.project,
        environments=(environment,),
        subject_kind="policy",
        subject=environment.key,
        title=text.format(environment=environment.name),
        base_version=str(version),
        before=before,
        after=wanted or {},
        permissions=(Permission.ENVIRONMENT_CONFIGURE,),
        words=tuple(policy_changes(before, wanted or {})),
        serves=False,
        place=environment,
    )


def _store(
    environment: Environment, current: Policy | None, wanted: Document | None, *, intent: Intent
) -> Policy | None:
    before = current.document if current else None
    stored = None
    if wanted is None:
        Policy.objects.filter(environment=environment).delete()
    else:
        stored = current or Policy(environment=environment, version=0)
        for field in POLICY_FIELDS:
            setattr(stored, field, wanted[field])
        stored.version += 1
        stored.updated_at, stored.updated_by = intent.at, intent.actor.label
        stored.save()
        _note_first(environment, intent)
    intent.record(
        "policy.set" if stored else "policy.removed",
        replace(environment.recorded_as, kind="policy"),
        before=before,
        after=stored.document if stored else None,
    )
    return stored


def _note_first(environment: Environment, intent: Intent) -> None:
    moment = clock.database_now()
    ungoverned = Environment.objects.filter(pk=environment.pk, governed_since=None)
    if ungoverned.update(governed_since=moment):
        noting = replace(intent, reason="")
        after = {"governed_since": moment.isoformat()}
        noting.record("environment.governed", environment, after=after)


def _apply(environment: Environment, wanted: Wanted) -> None:
    set_policy(
        environment=environment,
        document=wanted.document or None,
        expected_version=int(wanted.base_version),
        intent=wanted.intent,
    )


def _current(environment: Environment, _wanted: Document) -> Side:
    policy = Policy.objects.filter(environment=environment).first()
    return Side(str(policy.version), policy.document) if policy else Side("0", {})


def _outcomes(environment: Environment, request: ChangeRequest) -> list[Outcome]:
    sides = (_outcome_words(one) for one in (request.before, request.after))
    return [Outcome(environment.name, *sides)]


def _outcome_words(document: Document) -> tuple[str, ...]:
    return tuple(policy_sentences(document)) if document else (_("Nobody has to approve changes."),)


def _merge(environment: Environment, request: ChangeRequest, sides: Sides) -> Merged:
    if not all(sides.documents):  # one of them is no policy at all
        return merge_whole(environment, request, sides)
    merged = sides.merged(_PARTS)
    return Merged(merged.document, field_names([one.field for one in merged.clashes]))


HANDLER = Handler(
    find=lambda target: target.place,
    current=_current,
    apply=_apply,
    is_dangerous=True,
    page=page_at("policy"),
    edit_page=edited_at(page_at("policy")),
    words=lambda _environment, before, after: policy_changes(before, after),
    merge=_merge,
    outcomes=_outcomes,
)
