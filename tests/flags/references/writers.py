"""Every service that writes, each called with something that it could be called with.

The tables are complete: a public function that takes an actor or an instant and stands in neither
fails the test. What it draws is sometimes refused, which is an answer as well.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

from flags.core import definitions, naming
from flags.exclusion_groups import services as group_services
from flags.schedules import commands
from flags.segments import services as segment_services
from flags.usage import counting, sampling
from portal.approvals import services as approvals
from portal.approvals.services.votes import adopt_request
from portal.lib.journal import Intent
from tests.flags.references import approval_writers, flag_writers

PACKAGES = ("flags", "portal.approvals", "portal.access.services")


# They write nothing of the database, or by the functions found.
APART = re.compile(
    r"flags\.(engine|evaluator|channel|migrations|tasks|delivery\.(relay|inspecting))\b"
    r"|portal\.approvals\.(?!services|notifications|freezes\.services|policies\.(services|loading))"
)


def found_writers() -> Iterator[str]:
    """``package.module.function`` of all that could write."""
    for package in PACKAGES:
        root = importlib.import_module(package)
        for module in pkgutil.walk_packages(root.__path__, f"{package}."):
            if APART.match(module.name):
                continue
            for name, one in vars(importlib.import_module(module.name)).items():
                if not name.startswith("_") and inspect.isfunction(one):
                    takes = inspect.signature(one).parameters.keys()
                    # What does what is due is told nothing.
                    writes = not takes or takes & {"intent", "actor", "now", "job"}
                    if writes and one.__module__ == module.name:
                        yield f"{module.name}.{name}"


_F, _A, _X = PACKAGES
WRITERS: dict[str, flag_writers.Writer] = {
    "flags.core.configurations.save_configuration": flag_writers.save_configuration,
    "flags.core.configurations.set_enabled": flag_writers.set_enabled,
    "flags.core.copying.copy_configuration": flag_writers.copy_configuration,
    "flags.core.copying.clone_flag": flag_writers.clone_flag,
    "flags.core.definitions.create_flag": flag_writers.create_flag,
    "flags.core.definitions.edit_flag": flag_writers.edit_flag,
    "flags.core.definitions.archive_flag": flag_writers.archiving(definitions.archive_flag),
    "flags.core.definitions.restore_flag": flag_writers.archiving(definitions.restore_flag),
    "flags.transfer.importing.service.import_document": flag_writers.import_document,
    "flags.transfer.importing.service.import_flags": flag_writers.import_flags,
    "flags.segments.services.create_segment": flag_writers.create_cohort(
        segment_services.create_segment
    ),
    "flags.segments.services.edit_segment": flag_writers.edit_segment,
    "flags.segments.services.change_keys": flag_writers.change_keys,
    "flags.segments.services.delete_segment": flag_writers.delete_segment,
    "flags.exclusion_groups.services.create_group": flag_writers.create_cohort(
        group_services.create_group
    ),
    "flags.exclusion_groups.services.edit_group": flag_writers.edit_group,
    "flags.exclusion_groups.services.delete_group": flag_writers.delete_group,
    "flags.schedules.create.create_schedule": flag_writers.create_schedule,
    "flags.schedules.create.create_ramp": flag_writers.create_ramp,
    "flags.schedules.commands.pause_plan": flag_writers.steering(commands.pause_plan),
    "flags.schedules.commands.resume_plan": flag_writers.steering(commands.resume_plan),
    "flags.schedules.commands.cancel_plan": flag_writers.steering(commands.cancel_plan),
    "flags.schedules.runner.carry_out_due": flag_writers.carry_out,
    "flags.core.bulk.change_flags": flag_writers.change_flags,
    "flags.preferences.services.save_view": approval_writers.save_view,
    "flags.core.naming.set_naming_rule": lambda world, _dice, actor: naming.set_naming_rule(
        project=world.project, pattern="[a-z-]+", example="a", hint="", intent=Intent(actor)
    ),
    "flags.usage.sampling.set_sampling": lambda world, dice, actor: sampling.set_sampling(
        project=world.project,
        sampled=dice.random() < 0.5,
        intent=flag_writers.wanting(world, actor),
    ),
    "flags.usage.counting.ignore_unknown_flag": lambda world, _dice, actor: (
        counting.ignore_unknown_flag(
            environment=world.production,
            name="nowhere",
            ignored=True,
            intent=flag_writers.wanting(world, actor),
        )
    ),
    f"{_A}.services.votes.cast_vote": approval_writers.cast_vote,
    f"{_A}.services.votes.withdraw_vote": approval_writers.withdraw_vote,
    f"{_A}.services.votes.apply_request": approval_writers.on_request(approvals.apply_request),
    f"{_A}.services.requests.renew_request": approval_writers.renew_request,
    f"{_A}.services.votes.adopt_request": approval_writers.on_request(adopt_request),
    f"{_A}.services.requests.withdraw_request": approval_writers.on_request(
        approvals.withdraw_request
    ),
    f"{_A}.services.requests.comment_on_request": approval_writers.on_request(
        approvals.comment_on_request, text="Why?"
    ),
    f"{_A}.services.emergencies.confirm_emergency": approval_writers.on_emergency(
        approvals.confirm_emergency
    ),
    f"{_A}.services.emergencies.revert_emergency": approval_writers.on_emergency(
        approvals.revert_emergency
    ),
    f"{_A}.services.emergencies.review_emergency": approval_writers.on_emergency(
        approvals.review_emergency, text="Fine."
    ),
    f"{_A}.services.emergencies.revert_due": approval_writers.clock_of(approvals.revert_due),
    f"{_A}.policies.services.set_policy": approval_writers.set_policy,
    f"{_A}.services.restoring.restore": approval_writers.restore,
    f"{_A}.services.restoring.preflight_restore": approval_writers.preflight,
    f"{_A}.freezes.services.create_freeze": approval_writers.create_freeze,
    f"{_X}.grants.grant_role": approval_writers.grant_role,
    f"{_X}.roles.create_role": approval_writers.create_or_edit_role,
    f"{_A}.services.rights.edit_role": approval_writers.create_or_edit_role,
    f"{_A}.services.rights.reserve": approval_writers.reserve,
    f"{_X}.projects.create_environment": approval_writers.create_environment,
    f"{_X}.roles.create_group": approval_writers.create_group_or_join,
    f"{_X}.roles.add_to_group": approval_writers.create_group_or_join,
}

# Parts of those above, which they call once they have asked.
PARTS = {
    _F: "core.definitions.add_configuration exclusion_groups.services.store_group "
    "references.effects.advance_all references.effects.advance_everywhere "
    "references.effects.let_through schedules.create.record_plan segments.key_lists.store "
    "segments.services.delete_unused segments.services.fill_segment "
    "segments.services.save_version segments.services.store_segment "
    "transfer.importing.service.record transfer.importing.service.store "
    "transfer.importing.service.store_dependencies",
    _A: "services.requests.close_request services.requests.require_person "
    "services.votes.apply_as_asked services.votes.hold_request services.votes.apply_if_approved",
    _X: "grants.remove_grants grants.store_grant roles.remove_from_groups "
    "keys.checked_kinds "
    "grants.refuse_admin_keys grants.require_may_give "
    "grants.require_may_permit grants.require_may_reserve sponsoring.require_approver "
    "roles.store_role roles.store_rule",
}
# What follows from another write: a new environment.
FOLLOWING = {_F: "core.definitions.on_environment_created"}
# What evaluators hear nothing of: counts, samples and letters; evidence and freezes, which only
# hold up; files of policies, which come through set_policy; people, keys and projects.
UNHEARD = {
    _F: "usage.counting.count_usage usage.counting.forget_old_usage delivery.intake.drain "
    "delivery.intake.forget_old_batches "
    "delivery.intake.take usage.reminding.remind_owners "
    "usage.sampling.forget_old_samples usage.sampling.take_samples",
    _A: "services.evidence.post_evidence freezes.services.cancel_freeze "
    "freezes.services.edit_freeze freezes.services.lift_line freezes.services.stop_line "
    "services.votes.apply_waiting "
    "policies.loading.load_policies notifications.remind",
    _X: "keys.confirm_key keys.set_evidence sponsoring.confirm_approver "
    "projects.renew_epoch grants.revoke_grant grants.set_role roles.delete_group "
    "roles.edit_group "
    "roles.remove_from_group invitations.accept_invitation invitations.create_invitation "
    "invitations.join_by_invitation invitations.open_invitation invitations.revoke_invitation "
    "keys.note_use keys.note_uses keys.edit_key keys.issue_key keys.revoke_key "
    "people.add_member people.remove_member people.change_password people.create_user "
    "people.record_sign_in people.record_sign_out projects.create_project "
    "projects.edit_environment projects.edit_project roles.delete_role",
}
# What is told nothing as well, and writes nothing.
NO_WRITERS = {
    _F: "core.definitions.changed_meanwhile core.definitions.new_salt core.selectors.all_flags "
    "core.selectors.list_flags core.selectors.matching_keys explain.answers.explain_now "
    "explain.states.register references.state.load_state "
    "schedules.web.forms.operations targeting.editing.new_condition "
    "targeting.trying.sample_context usage.impact.of_configuration usage.impact.of_segment "
    "usage.lifecycle.judge usage.reading.hourly_counts usage.reading.over_budget "
    "usage.reading.recent_use usage.reading.refuse_if_evaluated usage.reading.series_of "
    "usage.sampling.samples_of usage.stages.stages_of",
}
NOT_DRIVEN = {
    f"{package}.{name}"
    for table in (PARTS, FOLLOWING, UNHEARD, NO_WRITERS)
    for package, names in table.items()
    for name in names.split()
}
