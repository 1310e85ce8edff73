"""Every page and dialog there is: who sees it, where, and what they do there to see it."""

from dataclasses import dataclass

from tests.browser import bank
from tests.browser.acts import (
    FREEZES,
    Act,
    ask_for_approval,
    at,
    change,
    conflict,
    edit_change,
    editor_with_errors,
    empty_comment,
    every_condition,
    explained,
    explained_everywhere,
    flag_with_errors,
    freeze_with_errors,
    freezes,
    introduce,
    keys_to_add,
    looked_up,
    many,
    more_filters,
    new_key,
    notice,
    open_record,
    plan_preview,
    policy_review,
    press,
    preview,
    ramp_dialog,
    rejection_without_a_word,
    restoring,
    review,
    switch,
    timeline,
    unknown,
    usage,
    wrong_address,
    wrong_code,
    wrong_name,
    wrong_password,
)
from tests.browser.release_acts import (
    RELEASES,
    group_with_errors,
    haproxy_with_errors,
    new_release,
    policy_with_errors,
    release,
    release_group,
    release_with_errors,
    setup_with_errors,
    template_with_errors,
)
from tests.browser.visitors import PROJECT
from tests.support.seeded_releases import PROJECT as HARBOUR

FLAGS = f"/p/{PROJECT}/flags/"
FLAG = f"/p/{PROJECT}/flag"
TARGETING = f"{FLAG}/targeting/production"
SERVICE = f"/p/{HARBOUR}/service/checkout/"
# As the row of a check in the form of a setup sends it.
TRIED = "checks[0].key=errors&checks[0].kind=error_rate&checks[0].threshold=5"
HISTORY = f"/p/{PROJECT}/history/"


@dataclass(frozen=True)
class Scene:
    """A place, or what somebody sees who does something there.

    ``refused`` is the status that it is answered with. What ``repeats`` others, the same templates
    with other data, is looked at in the whole run alone.
    """

    place: Act
    act: Act | None = None
    who: str = "admin"
    refused: int = 0
    repeats: bool = False


SCENES = {
    "sign-in": Scene(at("/sign-in"), who="nobody"),
    "sign-in refused": Scene(at("/sign-in"), wrong_password, who="nobody"),
    "nothing here": Scene(at("/p/none/flags/"), refused=404),
    "projects": Scene(at("/projects")),
    "new project": Scene(at("/projects"), press("New project")),
    "account": Scene(at("/account/")),
    "account with an error": Scene(at("/account/"), wrong_address, refused=422),
    "password": Scene(at("/account/password")),
    "two-factor": Scene(at("/account/two-factor"), who="bob"),
    "two-factor, wrong code": Scene(at("/account/two-factor"), wrong_code, who="bob"),
    "people": Scene(at("/people/")),
    "person": Scene(at("/people/bob/")),
    "flags": Scene(at(FLAGS)),
    "flags, saved view": Scene(at(FLAGS), press("Save view")),
    "environments compared": Scene(at(f"{FLAGS}compare?every=1")),
    "export": Scene(at(f"{FLAGS}files?environment=production&format=flagd")),
    "copy from another environment": Scene(
        at(f"{TARGETING}/new-checkout"), press("Copy from another environment")
    ),
    "clone": Scene(at(f"{TARGETING}/new-checkout"), press("Clone")),
    "naming": Scene(at(f"{FLAGS}naming")),
    "context sampling": Scene(at(f"{FLAGS}sampling")),
    "flags, none found": Scene(at(f"{FLAGS}?search=nothing-like-it"), repeats=True),
    "flags, archived": Scene(at(f"{FLAGS}?archived=1"), repeats=True),
    "flags of a viewer": Scene(at(FLAGS), who="bob", repeats=True),
    "turn on": Scene(at(FLAGS), switch("Recommendation weight")),
    "turn on, wrong name": Scene(at(FLAGS), wrong_name, refused=422),
    "turn off": Scene(at(FLAGS), switch("New checkout")),
    "flags, many": Scene(at(FLAGS), many),
    "flags, notice": Scene(at(FLAGS), notice),
    "flags, more filters": Scene(at(FLAGS), more_filters),
    "unknown flags": Scene(at(FLAGS), unknown),
    "new flag": Scene(at(f"{FLAGS}new")),
    "new flag with errors": Scene(at(f"{FLAGS}new"), flag_with_errors, refused=422),
    "targeting with rules": Scene(at(f"{TARGETING}/new-checkout")),
    "targeting with shares": Scene(at(f"{TARGETING}/search-ranking")),
    "targeting of a viewer": Scene(at(f"{TARGETING}/new-checkout"), who="bob"),
    "review": Scene(at(f"{TARGETING}/new-checkout"), review),
    "deal out anew": Scene(at(f"{TARGETING}/new-checkout"), press("Reshuffle users…")),
    "editor with errors": Scene(at(f"{TARGETING}/new-checkout"), editor_with_errors, refused=422),
    "editor with every condition": Scene(at(f"{TARGETING}/new-checkout"), every_condition),
    "sample user": Scene(at(f"{TARGETING}/new-checkout"), explained),
    "conflict": Scene(at(f"{FLAG}/targeting/development/new-checkout"), conflict, refused=409),
    "usage of a flag": Scene(at(f"{FLAG}/usage/new-checkout"), usage),
    "explained everywhere": Scene(at(f"{FLAG}/explain/new-checkout"), explained_everywhere),
    "looked up": Scene(looked_up, who="bob"),
    "new schedule": Scene(at(f"{FLAG}/timeline/production/new-checkout"), plan_preview),
    "new ramp": Scene(at(f"{FLAG}/timeline/production/new-checkout"), ramp_dialog),
    "timeline": Scene(at(f"{FLAG}/timeline/production/new-checkout"), timeline),
    "history of a flag": Scene(at(f"{FLAG}/history/new-checkout")),
    "history": Scene(at(HISTORY), repeats=True),
    "history of a viewer": Scene(at(HISTORY), who="bob"),
    "history, none found": Scene(at(f"{HISTORY}?text=nothing-like-it"), repeats=True),
    "history, bad filters": Scene(at(f"{HISTORY}?from=never&text=%21"), refused=400),
    "restoring a version": Scene(at(f"{FLAG}/history/new-checkout"), restoring),
    "history of the site": Scene(at("/history/?period=30d")),
    "record": Scene(at(f"{HISTORY}?event=flag.enabled"), open_record),
    "settings": Scene(at(f"{FLAG}/settings/home-banner")),
    "settings of a viewer": Scene(at(f"{FLAG}/settings/home-banner"), who="bob"),
    "archive": Scene(at(f"{TARGETING}/home-banner"), press("Archive")),
    "keys": Scene(at(f"/p/{PROJECT}/keys/")),
    "keys of a viewer": Scene(at(f"/p/{PROJECT}/keys/"), who="bob", repeats=True),
    "new key": Scene(at(f"/p/{PROJECT}/keys/"), press("New key")),
    "edit key": Scene(at(f"/p/{PROJECT}/keys/"), press("Edit Demo application")),
    "revoke": Scene(at(f"/p/{PROJECT}/keys/"), press("Revoke Demo application")),
    "token": Scene(at(f"/p/{PROJECT}/keys/"), new_key),
    "environments": Scene(at(f"/p/{PROJECT}/environments/")),
    "environments of a viewer": Scene(at(f"/p/{PROJECT}/environments/"), who="bob", repeats=True),
    "new environment": Scene(at(f"/p/{PROJECT}/environments/"), press("Add environment")),
    "freezes": Scene(freezes),
    "freezes of a viewer": Scene(at(FREEZES), who="bob"),
    "new freeze": Scene(at(FREEZES), press("New freeze"), repeats=True),
    "new freeze with a preview": Scene(at(FREEZES), preview),
    "new freeze with errors": Scene(at(FREEZES), freeze_with_errors, refused=422),
    "edit freeze": Scene(freezes, press("Edit Summer")),
    "cancel freeze": Scene(freezes, press("Cancel Summer")),
    "members": Scene(at(f"/p/{PROJECT}/members/")),
    "members of a viewer": Scene(at(f"/p/{PROJECT}/members/"), who="bob", repeats=True),
    "new member": Scene(at(f"/p/{PROJECT}/members/"), press("Add member")),
    "groups": Scene(at(f"/p/{PROJECT}/groups/")),
    "new group": Scene(at(f"/p/{PROJECT}/groups/"), press("New group")),
    "roles": Scene(at(f"/p/{PROJECT}/roles/")),
    "new role": Scene(at(f"/p/{PROJECT}/roles/"), press("New role")),
    "invitations": Scene(at(f"/p/{PROJECT}/invitations/")),
    "new invitation": Scene(at(f"/p/{PROJECT}/invitations/"), press("Invite someone")),
    "access": Scene(at(f"/p/{PROJECT}/access/")),
    "access of a viewer": Scene(at(f"/p/{PROJECT}/access/"), who="bob"),
    "access by person": Scene(at(f"/p/{PROJECT}/access/person?person=bob")),
    "reserve": Scene(
        at(f"/p/{PROJECT}/access/"), press("Change who may deploy releases in Production")
    ),
    "segments": Scene(at(f"/p/{bank.PROJECT}/segments/")),
    "new segment": Scene(at(f"/p/{bank.PROJECT}/segments/new")),
    "segment": Scene(at(f"/p/{bank.PROJECT}/segment/open/testers")),
    "segment, conditions": Scene(at(f"/p/{bank.PROJECT}/segment/edit/testers")),
    "segment, change of keys": Scene(at(f"/p/{bank.PROJECT}/segment/open/testers"), keys_to_add),
    "delete segment": Scene(at(f"/p/{bank.PROJECT}/segment/open/testers"), press("Delete")),
    "exclusion groups": Scene(at(f"/p/{bank.PROJECT}/exclusion-groups/")),
    "new exclusion group": Scene(at(f"/p/{bank.PROJECT}/exclusion-groups/new")),
    "exclusion group": Scene(at(f"/p/{bank.PROJECT}/exclusion-group/open/experiments")),
    "reports": Scene(at(f"/p/{PROJECT}/reports/")),
    "report": Scene(at(f"/p/{PROJECT}/reports/production-alone/")),
    "report of a viewer": Scene(at(f"/p/{PROJECT}/reports/keys/"), who="bob", repeats=True),
    "recertification": Scene(at(f"/p/{PROJECT}/reports/recertification/")),
    "releases": Scene(at(RELEASES)),
    "flags that releases move": Scene(at(f"/p/{HARBOUR}/flags/")),
    "stop the line": Scene(at(RELEASES), press("Stop the line in Production")),
    "all releases": Scene(at(f"{RELEASES}all")),
    "all releases, none found": Scene(at(f"{RELEASES}all?text=nothing-like-it"), repeats=True),
    "releases, none yet": Scene(at(f"/p/{PROJECT}/releases/"), repeats=True),
    "release, running": Scene(release("running")),
    "roll back": Scene(release("running"), press("Roll back")),
    "release, held": Scene(release("held")),
    "release, rolled back": Scene(release("rolled_back")),
    "release, failed": Scene(release("failed")),
    "release, waiting": Scene(release("waiting"), repeats=True),
    "release, succeeded": Scene(release("succeeded"), repeats=True),
    "story of a release": Scene(release("rolled_back", "story")),
    "new release": Scene(at(f"{RELEASES}new?service=checkout"), new_release),
    "new release with errors": Scene(
        at(f"{RELEASES}new?service=checkout&environment=staging"), release_with_errors, refused=422
    ),
    "roll out with checks": Scene(
        at(f"/p/{PROJECT}/releases/new?flag=new-checkout&environment=production"), repeats=True
    ),
    "new release of a viewer": Scene(at(f"/p/{PROJECT}/releases/new"), who="bob", repeats=True),
    "release group": Scene(release_group),
    "roll back a release group": Scene(release_group, press("Roll back")),
    "new release group": Scene(at(f"/p/{HARBOUR}/release-groups/new")),
    "new release group with errors": Scene(
        at(f"/p/{HARBOUR}/release-groups/new"), group_with_errors, refused=422
    ),
    "release policies": Scene(at(f"{RELEASES}policies/")),
    "delete a release policy": Scene(at(f"{RELEASES}policies/"), press("Delete Payments")),
    "release policies, none yet": Scene(at(f"/p/{PROJECT}/releases/policies/"), repeats=True),
    "release policy": Scene(at(f"{RELEASES}policies/payments/")),
    "release policy with errors": Scene(
        at(f"{RELEASES}policies/new"), policy_with_errors, refused=422
    ),
    "release policy of a viewer": Scene(
        at(f"/p/{PROJECT}/releases/policies/new"), who="bob", repeats=True
    ),
    "plan templates": Scene(at(f"{RELEASES}templates/")),
    "plan template": Scene(at(f"{RELEASES}templates/careful/")),
    "plan template with errors": Scene(
        at(f"{RELEASES}templates/new"), template_with_errors, refused=422
    ),
    "services": Scene(at(f"/p/{HARBOUR}/services/")),
    "new service": Scene(at(f"/p/{HARBOUR}/services/"), press("New service")),
    "service": Scene(at(SERVICE)),
    "backtest of a check": Scene(at(f"/p/{HARBOUR}/service/payment/backtest/production?{TRIED}")),
    "setup of a service": Scene(at(f"{SERVICE}setup/staging")),
    "setup by haproxy, with errors": Scene(
        at(f"{SERVICE}setup/production"), haproxy_with_errors, refused=422
    ),
    "setup with errors": Scene(at(f"{SERVICE}setup/production"), setup_with_errors, refused=422),
    "ask for approval": Scene(
        at(f"/p/{bank.PROJECT}/flags/"), ask_for_approval, who="dora", repeats=True
    ),
    "ask for approval or break glass": Scene(
        at(f"/p/{bank.PROJECT}/flags/"), ask_for_approval, who="otto"
    ),
    "flags with a policy": Scene(at(f"/p/{bank.PROJECT}/flags/"), who="dora", repeats=True),
    "introduce": Scene(at(f"/p/{bank.PROJECT}/flags/"), introduce, who="dora"),
    "flag, not introduced": Scene(
        at(f"/p/{bank.PROJECT}/flag/targeting/production/coin-counter"), who="dora"
    ),
    "changes": Scene(at(bank.CHANGES), who="emil"),
    "changes of a viewer": Scene(at(bank.CHANGES), who="vera", repeats=True),
    "changes, none found": Scene(at(f"{bank.CHANGES}?search=nothing-like-it"), who="vera"),
    "changes, none yet": Scene(at(f"/p/{PROJECT}/changes/?state=withdrawn"), repeats=True),
    "change with a vote": Scene(change("Vault door"), who="fritz", repeats=True),
    "change with a vote that does not count": Scene(change("Strong room"), who="emil"),
    "change that nobody answers for": Scene(change("Petty cash"), who="dora"),
    "adopt": Scene(change("Petty cash"), press("Adopt"), who="dora"),
    "approver to confirm": Scene(at(f"/p/{bank.PROJECT}/members/"), who="emil"),
    "key to confirm": Scene(at(f"/p/{bank.PROJECT}/keys/"), who="emil"),
    "evidence of a key": Scene(
        at(f"/p/{bank.PROJECT}/keys/"), press("Evidence of Scanner"), who="anton"
    ),
    "report of the bank": Scene(
        at(f"/p/{bank.PROJECT}/reports/production-alone/"), who="anton", repeats=True
    ),
    "change of its author": Scene(change("Vault door"), who="dora"),
    "change to decide on": Scene(change("Teller window"), who="emil", repeats=True),
    "change of a viewer": Scene(change("Teller window"), who="vera", repeats=True),
    "change, rejected": Scene(change("Night safe"), who="dora"),
    "change on another base": Scene(change("Cash machine"), who="dora", repeats=True),
    "change against others": Scene(change("Deposit box"), who="fritz"),
    "bring up to date against others": Scene(
        change("Deposit box"), press("Bring up to date"), who="dora"
    ),
    "change against others, edited": Scene(change("Deposit box"), edit_change, who="dora"),
    "change, emergency": Scene(change("Alarm"), who="emil"),
    "change, emergency of its maker": Scene(change("Alarm"), who="otto", repeats=True),
    "change, emergency reverted": Scene(change("Sprinkler"), who="vera", repeats=True),
    "change, empty comment": Scene(change("Teller window"), empty_comment, who="vera", refused=422),
    "approve": Scene(change("Teller window"), press("Approve"), who="emil"),
    "reject": Scene(change("Teller window"), rejection_without_a_word, who="emil", refused=422),
    "withdraw": Scene(change("Teller window"), press("Withdraw"), who="dora"),
    "bring up to date": Scene(change("Cash machine"), press("Bring up to date"), who="dora"),
    "confirm an emergency": Scene(change("Alarm"), press("Confirm"), who="emil"),
    "review an emergency": Scene(change("Alarm"), press("Review"), who="emil"),
    "emergencies": Scene(at(f"/p/{bank.PROJECT}/emergencies/"), who="vera"),
    "emergencies, none": Scene(at(f"/p/{PROJECT}/emergencies/"), repeats=True),
    "policy": Scene(at(bank.POLICY)),
    "policy of a viewer": Scene(at(bank.POLICY), who="vera"),
    "no policy": Scene(at(f"/p/{bank.PROJECT}/policy/staging"), repeats=True),
    "policy lowered": Scene(at(bank.POLICY), policy_review("1")),
    "policy raised": Scene(at(bank.POLICY), policy_review("3")),
    "policy with errors": Scene(at(bank.POLICY), policy_review("0"), refused=422),
    "environments with policies": Scene(
        at(f"/p/{bank.PROJECT}/environments/"), who="vera", repeats=True
    ),
}
