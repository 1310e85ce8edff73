"""Setting an environment's approval policy. What lowers it, the old one must approve."""

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.access.services import NotByKeys
from portal.approvals import gate, kinds
from portal.approvals.changes import Change
from portal.approvals.kinds import Merged, Outcome, Side
from portal.approvals.models import POLICY_FIELDS, ChangeRequest, Policy
from portal.approvals.policy_rules import Names, complete, is_lowering, problems_of
from portal.approvals.services.gated import gated
from portal.approvals.wording import field_names, policy_changes, policy_sentences
from portal.lib import clock, journal, merging
from portal.lib.errors import Conflict, Invalid
from portal.lib.intent import Intent
from portal.lib.journal import Actor, Entry

POLICY = "policy"
_PARTS: merging.Parts = {
    "required_roles": merging.Merging.members,
    "break_glass": merging.Merging.members,
    "evidence": merging.Merging.fields,
}
Document = Mapping[str, Any]


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
    locked.project = project
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
        change = _change(locked, version, before, wanted)
        intent = replace(intent, reason=gate.pass_through(change, intent).reason)
    return _store(locked, current, wanted, intent=intent)


class PolicyKind:
    """Carries out the changes of policies that the old policy approved."""

    def apply(
        self, request: ChangeRequest, *, document: Document, base_version: str, intent: Intent
    ) -> None:
        set_policy(
            environment=_environment(request),
            document=document or None,
            expected_version=int(base_version),
            intent=intent,
        )

    def current(self, request: ChangeRequest) -> Side:
        policy = Policy.objects.filter(environment=_environment(request)).first()
        return Side(str(policy.version), policy.document) if policy else Side("0", {})

    def address(self, request: ChangeRequest) -> str:
        return reverse("policy", args=[request.project.key, request.subject])

    def edit_address(self, request: ChangeRequest) -> str:
        return f"{self.address(request)}?request={request.pk}"

    def words(self, request: ChangeRequest, before: Document) -> list[str]:
        return policy_changes(before, request.after)

    def outcomes(self, request: ChangeRequest) -> list[Outcome]:
        sides = (_outcome_words(one) for one in (request.before, request.after))
        return [Outcome(_environment(request).name, *sides)]

    def merge(
        self,
        request: ChangeRequest,
        *,
        base: Document,
        theirs: Document,
        mine: Document,
        prefer: merging.Side,
    ) -> Merged:
        if not (base and theirs and mine):  # one of them is no policy at all
            return kinds.merge_whole(base, theirs, mine, prefer)
        merged = merging.merge(base, theirs, mine, parts=_PARTS, prefer=prefer)
        return Merged(merged.document, field_names([one.field for one in merged.clashes]))


def _outcome_words(document: Document) -> tuple[str, ...]:
    return tuple(policy_sentences(document)) if document else (_("Nobody has to approve changes."),)


def names_for(environment: Environment) -> Names:
    """The names that a policy of an environment can use."""
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
        _note_first(environment, intent.actor)
    event = "policy.set" if wanted is not None else "policy.removed"
    journal.write(
        Entry(
            event=event,
            actor=intent.actor,
            subject_kind="policy",
            subject=environment.key,
            project=environment.project.key,
            environment=environment.key,
            before=before,
            after=stored.document if stored else None,
            reason=intent.reason.strip(),
        )
    )
    return stored


def _note_first(environment: Environment, actor: Actor) -> None:
    """Keep since when an environment has policies, where this is its first."""
    moment = clock.database_now()
    ungoverned = Environment.objects.filter(pk=environment.pk, governed_since=None)
    if ungoverned.update(governed_since=moment):
        journal.write(
            Entry(
                event="environment.governed",
                actor=actor,
                subject_kind="environment",
                subject=environment.key,
                project=environment.project.key,
                environment=environment.key,
                after={"governed_since": moment.isoformat()},
            )
        )


def _environment(request: ChangeRequest) -> Environment:
    environment = request.environments.get()
    environment.project = request.project
    return environment
