"""Every service that writes, each called with something that it could be called with.

The tables are complete: a public function that takes an actor or an instant and stands in neither
fails the test. What it draws is sometimes refused, which is an answer as well.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

from flags import services
from flags.services import naming, sampling
from portal.approvals import services as approvals
from portal.approvals.services.votes import adopt_request
from portal.lib.journal import Intent
from tests.flags.effects import approval_writers, flag_writers

PACKAGES = ("flags.services", "portal.approvals.services", "portal.access.services")


def found_writers() -> Iterator[str]:
    """``package.module.function`` of all that could write."""
    for package in PACKAGES:
        root = importlib.import_module(package)
        for module in pkgutil.walk_packages(root.__path__, f"{package}."):
            for name, one in vars(importlib.import_module(module.name)).items():
                if not name.startswith("_") and inspect.isfunction(one):
                    takes = inspect.signature(one).parameters.keys()
                    # What does what is due is told nothing.
                    writes = not takes or takes & {"intent", "actor", "now", "job"}
                    if writes and one.__module__ == module.name:
                        yield f"{module.name}.{name}"


_F, _A, _X = PACKAGES
WRITERS: dict[str, flag_writers.Writer] = {
    f"{_F}.configurations.save_configuration": flag_writers.save_configuration,
    f"{_F}.configurations.set_enabled": flag_writers.set_enabled,
    f"{_F}.copying.copy_configuration": flag_writers.copy_configuration,
    f"{_F}.copying.clone_flag": flag_writers.clone_flag,
    f"{_F}.definitions.create_flag": flag_writers.create_flag,
    f"{_F}.definitions.edit_flag": flag_writers.edit_flag,
    f"{_F}.definitions.archive_flag": flag_writers.archiving(services.archive_flag),
    f"{_F}.definitions.restore_flag": flag_writers.archiving(services.restore_flag),
    f"{_F}.importing.service.import_document": flag_writers.import_document,
    f"{_F}.importing.service.import_flags": flag_writers.import_flags,
    f"{_F}.segments.create_segment": flag_writers.create_cohort(services.create_segment),
    f"{_F}.segments.edit_segment": flag_writers.edit_segment,
    f"{_F}.segments.change_keys": flag_writers.change_keys,
    f"{_F}.segments.delete_segment": flag_writers.delete_segment,
    f"{_F}.groups.create_group": flag_writers.create_cohort(services.create_group),
    f"{_F}.groups.edit_group": flag_writers.edit_group,
    f"{_F}.groups.delete_group": flag_writers.delete_group,
    f"{_F}.plans.making.create_schedule": flag_writers.create_schedule,
    f"{_F}.plans.making.create_ramp": flag_writers.create_ramp,
    f"{_F}.plans.commands.pause_plan": flag_writers.steering(services.pause_plan),
    f"{_F}.plans.commands.resume_plan": flag_writers.steering(services.resume_plan),
    f"{_F}.plans.commands.cancel_plan": flag_writers.steering(services.cancel_plan),
    f"{_F}.plans.runner.carry_out_due": flag_writers.carry_out,
    f"{_F}.bulk.change_flags": flag_writers.change_flags,
    f"{_F}.arranging.save_view": approval_writers.save_view,
    f"{_F}.naming.set_naming_rule": lambda world, _dice, actor: naming.set_naming_rule(
        project=world.project, pattern="[a-z-]+", example="a", hint="", intent=Intent(actor)
    ),
    f"{_F}.sampling.set_sampling": lambda world, dice, actor: sampling.set_sampling(
        project=world.project,
        sampled=dice.random() < 0.5,
        intent=flag_writers.wanting(world, actor),
    ),
    f"{_F}.arranging.ignore_unknown_flag": lambda world, _dice, actor: services.ignore_unknown_flag(
        environment=world.production,
        name="nowhere",
        ignored=True,
        intent=flag_writers.wanting(world, actor),
    ),
    f"{_A}.votes.cast_vote": approval_writers.cast_vote,
    f"{_A}.votes.withdraw_vote": approval_writers.withdraw_vote,
    f"{_A}.votes.apply_request": approval_writers.on_request(approvals.apply_request),
    f"{_A}.requests.renew_request": approval_writers.renew_request,
    f"{_A}.votes.adopt_request": approval_writers.on_request(adopt_request),
    f"{_A}.requests.withdraw_request": approval_writers.on_request(approvals.withdraw_request),
    f"{_A}.requests.comment_on_request": approval_writers.on_request(
        approvals.comment_on_request, text="Why?"
    ),
    f"{_A}.emergencies.confirm_emergency": approval_writers.on_emergency(
        approvals.confirm_emergency
    ),
    f"{_A}.emergencies.revert_emergency": approval_writers.on_emergency(approvals.revert_emergency),
    f"{_A}.emergencies.review_emergency": approval_writers.on_emergency(
        approvals.review_emergency, text="Fine."
    ),
    f"{_A}.emergencies.revert_due": approval_writers.clock_of(approvals.revert_due),
    f"{_A}.policies.set_policy": approval_writers.set_policy,
    f"{_A}.restoring.restore": approval_writers.restore,
    f"{_A}.restoring.preflight_restore": approval_writers.preflight,
    f"{_A}.freezes.create_freeze": approval_writers.create_freeze,
    f"{_X}.grants.grant_role": approval_writers.grant_role,
    f"{_X}.roles.create_role": approval_writers.create_or_edit_role,
    f"{_A}.rights.edit_role": approval_writers.create_or_edit_role,
    f"{_A}.rights.reserve": approval_writers.reserve,
    f"{_X}.projects.create_environment": approval_writers.create_environment,
    f"{_X}.roles.create_group": approval_writers.create_group_or_join,
    f"{_X}.roles.add_to_group": approval_writers.create_group_or_join,
}

# Parts of those above, which they call once they have asked.
PARTS = {
    _F: "definitions.add_configuration groups.store_group importing.service.record "
    "importing.service.store importing.service.store_cohorts key_lists.store "
    "plans.making.record_plan "
    "effects.advance_all effects.advance_everywhere effects.let_through segments.fill_segment "
    "segments.store_segment",
    _A: "requests.close_request requests.require_person votes.apply_as_asked "
    "votes.hold_request votes.apply_if_approved",
    _X: "grants.remove_grants grants.store_grant roles.remove_from_groups "
    "keys.checked_kinds "
    "grants.refuse_admin_keys grants.require_may_give "
    "grants.require_may_permit grants.require_may_reserve sponsoring.require_approver "
    "roles.store_role roles.store_rule",
}
# What follows from another write: a new environment.
FOLLOWING = {_F: "definitions.on_environment_created"}
# What evaluators hear nothing of: counts, samples and letters; evidence and freezes, which only
# hold up; files of policies, which come through set_policy; people, keys and projects.
UNHEARD = {
    _F: "counting.count_usage counting.forget_old_usage intake.drain intake.forget_old_batches "
    "intake.take reminding.remind_owners "
    "sampling.forget_old_samples sampling.take_samples",
    _A: "evidence.post_evidence freezes.cancel_freeze freezes.edit_freeze "
    "freezes.lift_line freezes.stop_line votes.apply_waiting "
    "loading.load_policies",
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
NO_WRITERS = {_F: "definitions.changed_meanwhile definitions.new_salt"}
NOT_DRIVEN = {
    f"{package}.{name}"
    for table in (PARTS, FOLLOWING, UNHEARD, NO_WRITERS)
    for package, names in table.items()
    for name in names.split()
}
