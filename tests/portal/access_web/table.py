"""The authorization matrix: what every address answers to everybody."""

import json
from dataclasses import dataclass, field

SIGN_IN = "sign-in"
ROLES = (
    "viewer",
    "auditor",
    "product_manager",
    "developer",
    "qa",
    "devops",
    "on_call_engineer",
    "senior_developer",
    "devops_lead",
    "project_admin",
)
# Somebody with no role here; everyone with one role everywhere; a project admin in staging alone,
# while the addresses are about development; and a site administrator.
PEOPLE = ("anonymous", "stranger", *ROLES, "elsewhere", "root")
# For methods that no page takes, these few stand for everybody.
FEW = ("anonymous", "stranger", "project_admin")
# What a database could change is whether a page works at all.
ON_POSTGRESQL = ("project_admin", "root")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
Expected = dict[str, int | str]

# Who may, written out, so that a change of what a role permits shows here.
EDITORS = "product_manager developer senior_developer project_admin"
SWITCHERS = f"{EDITORS} qa devops on_call_engineer devops_lead"
KEY_KEEPERS = "devops devops_lead project_admin"
CONFIGURERS = "devops_lead project_admin"
# In staging, where the one request of the matrix is.
APPROVERS = "qa senior_developer devops_lead project_admin elsewhere"
# Whoever configures one environment plans freezes, and is refused where it is another.
PLANNERS = f"{CONFIGURERS} elsewhere"
EXPORTERS = "auditor project_admin"
ADMINS = "project_admin"
PLANNERS_OF_RELEASES = "developer devops senior_developer devops_lead project_admin"
DEPLOYERS = "devops devops_lead project_admin"
WHO_ROLL_BACK = f"{DEPLOYERS} on_call_engineer senior_developer"


def everyone(status: int) -> Expected:
    return dict.fromkeys(PEOPLE, status)


def signed_in(status: int, **others: int) -> Expected:
    return everyone(status) | {"anonymous": SIGN_IN} | others


def members(status: int) -> Expected:
    return signed_in(status, stranger=404)


def only(roles: str, status: int) -> Expected:
    """The status for these roles and for site administrators; 403 for the other members."""
    return members(403) | dict.fromkeys([*roles.split(), "root"], status)


def editors(status: int) -> Expected:
    return only(EDITORS, status)


def admins(status: int) -> Expected:
    return only(ADMINS, status)


# Nobody: the address does not take this method.
CLOSED: Expected = signed_in(405)
AWAY: Expected = everyone(302) | {"anonymous": 200}


@dataclass(frozen=True)
class Row:
    """What an address answers; ``fields`` is a form that it accepts."""

    get: Expected
    post: Expected = field(default_factory=lambda: CLOSED)
    fields: dict[str, str] = field(default_factory=dict)
    others: Expected = field(default_factory=lambda: CLOSED)
    put: Expected | None = None  # as the others, but for forms of Django's own

    def expected(self, method: str) -> Expected:
        if method in ("GET", "HEAD"):
            return self.get
        if method == "POST":
            return self.post
        return self.put if method == "PUT" and self.put else self.others


NEW_FLAG = {
    "key": "dark-mode",
    "value_type": "boolean",
    "kind": "release",
    "variants[0].key": "on",
    "variants[0].value": "true",
    "variants[1].key": "off",
    "variants[1].value": "false",
}
MANY = {"flag": "new-checkout", "action": "set_owner", "owner": "dana", "confirmed": "1"}
TARGETING = {
    "off_variant": "off",
    "salt": "s",
    "fallthrough.variant": "on",
    "version": "1",
}
DOCUMENT = {
    "document": '{"enabled":true,"off_variant":"off","fallthrough":{"variant":"on"},"salt":"s"}',
    "version": "1",
}
SEGMENT = {"document": '{"key":"new-checkout","name":"Staff"}', "version": "1"}
GROUP = {"document": '{"key":"new-checkout","name":"Checkout"}', "version": "1"}
FREEZE = {
    "name": "New year",
    "environments": "development",
    "starts": "2099-12-31T16:00",
    "ends": "2100-01-02T08:00",
    "zone": "Europe/Berlin",
}
PAST = {"flag": "new-checkout", "environment": "production", "at": "2026-01-01T00:00"}
SCHEDULE = {
    "operation": "turn_on",
    "starts": "2099-12-31T16:00",
    "zone": "Europe/Berlin",
    "repeat": "once",
}
NEW_RELEASE_GROUP = {
    "name": "Checkout",
    "document": json.dumps(
        [
            {
                "environment": "development",
                "service": service,
                "artefact": {"version": "3.0", "digest": f"sha256:{'a' * 64}"},
                "strategy": "canary",
            }
            for service in ("cart", "mail")
        ]
    ),
}
NEW_RELEASE = {
    "environment": "development",
    "service": "checkout",
    "version": "9.0",
    "digest": "sha256:" + "9f86" * 16,
    "strategy": "in_place",
    "when": "hold",
}
NEW_POLICY = {
    "key": "strict",
    "name": "Strict",
    "environments": "development",
    "version": "0",
    "checks[0].key": "errors",
    "checks[0].kind": "error_rate",
    "checks[0].threshold": "1",
}
PLAN = {"template_key": "all-at-once", "template_name": "All at once", "strategy": "in_place"}
NEW_PROJECT = {"key": "new", "name": "New"}
ROLE = {"role": "qa", "environment": "staging"}
JOINING = {
    "username": "erin",
    "password": "a-swallow-in-june",
    "password_again": "a-swallow-in-june",
}
KEY = {"name": "Shop front", "environment": "development", "kind": "server"}

TABLE = {
    "health": Row(everyone(200), everyone(405), others=everyone(405)),
    "ready": Row(everyone(200), everyone(405), others=everyone(405)),
    "metrics": Row(everyone(200), everyone(405), others=everyone(405)),
    "sign-in": Row(AWAY, AWAY, others=AWAY | {"anonymous": 405}, put=AWAY),
    "account_login": Row(AWAY, AWAY, others=AWAY | {"anonymous": 405}, put=AWAY),
    # There is no code to enter before the password, nor after it.
    "mfa_authenticate": Row(everyone(302), everyone(302), others=everyone(302)),
    "sign-in-start-over": Row(everyone(405), everyone(302), others=everyone(405)),
    # Where no provider is configured, there is none.
    "oidc-start": Row(everyone(405), everyone(302) | {"anonymous": 404}, others=everyone(405)),
    "oidc-callback": Row(everyone(404), everyone(405), others=everyone(405)),
    "sign-out": Row(signed_in(405), signed_in(302)),
    "account": Row(signed_in(200)),
    "account-email": Row(CLOSED, signed_in(302), {"email": "me@example.com"}),
    "account-letters": Row(CLOSED, signed_in(302), {"digests": ""}),
    "password_change": Row(signed_in(200), signed_in(200), put=signed_in(200)),
    "two-factor-enrol": Row(signed_in(200), signed_in(200)),
    "two-factor-remove": Row(CLOSED, signed_in(302)),
    # Nobody in these tests has any.
    "recovery-codes": Row(signed_in(404)),
    "recovery-codes-new": Row(CLOSED, signed_in(302)),
    "session-end": Row(CLOSED, signed_in(404)),
    "session-end-others": Row(CLOSED, signed_in(302)),
    "link-add": Row(CLOSED, signed_in(404)),
    "link-remove": Row(CLOSED, signed_in(404)),
    "prove-again": Row(CLOSED, signed_in(404)),
    # For site administrators.
    "person-list": Row(signed_in(403, root=200)),
    "person": Row(signed_in(403, root=200)),
    "person-end-sessions": Row(CLOSED, signed_in(403, root=302)),
    "person-unlock": Row(CLOSED, signed_in(403, root=302)),
    "person-active": Row(CLOSED, signed_in(403, root=302), {"active": "0"}),
    "person-remove-two-factor": Row(CLOSED, signed_in(403, root=302)),
    "home": Row(signed_in(302)),
    "project-list": Row(signed_in(200)),
    "project-create": Row(signed_in(200), signed_in(403, root=204), NEW_PROJECT),
    "key-list": Row(members(200)),
    "key-create": Row(only(KEY_KEEPERS, 200), only(KEY_KEEPERS, 200), KEY),
    "key-edit": Row(only(KEY_KEEPERS, 200), only(KEY_KEEPERS, 200), {"rate_limit": "5"}),
    "key-evidence": Row(only(KEY_KEEPERS, 200), only(KEY_KEEPERS, 422), {"evidence": "scan"}),
    # A server key, which posts no evidence.
    "key-confirm": Row(CLOSED, only("qa senior_developer devops_lead project_admin", 400)),
    "key-revoke": Row(only(KEY_KEEPERS, 200), only(KEY_KEEPERS, 200)),
    "member-list": Row(members(200)),
    "member-add": Row(admins(200), admins(200), {"username": "erin", "role": "viewer"}),
    # Of somebody whom the admin gave a role.
    "approver-confirm": Row(CLOSED, only(APPROVERS, 200) | {"project_admin": 400}),
    "member-remove": Row(CLOSED, admins(200)),
    "grant-give": Row(admins(200), admins(200), ROLE),
    "grant-revoke": Row(CLOSED, admins(200)),
    "group-list": Row(members(200)),
    "group-create": Row(admins(200), admins(200), {"key": "night-shift", "name": "Night"}),
    "group-delete": Row(CLOSED, admins(200)),
    "group-grant-give": Row(admins(200), admins(200), ROLE),
    "group-member-add": Row(admins(200), admins(200), {"username": "charlie"}),
    "group-member-remove": Row(CLOSED, admins(200)),
    "role-list": Row(members(200)),
    "role-create": Row(admins(200), admins(200), {"key": "tester", "permissions": "flag.view"}),
    "role-edit": Row(admins(200), admins(200), {"name": "S", "permissions": "flag.view"}),
    "role-delete": Row(CLOSED, admins(200)),
    "invitation-list": Row(members(200)),
    "invitation-create": Row(admins(200), admins(200), ROLE),
    "invitation-revoke": Row(CLOSED, admins(200)),
    # Whoever shows the link may: that is what it is for.
    "invitation": Row(everyone(200), everyone(302), JOINING, everyone(405)),
    "access-matrix": Row(members(200)),
    "access-person": Row(members(200)),
    "rule-edit": Row(
        only(CONFIGURERS, 200), only(CONFIGURERS, 200), {"reserved": "1", "names": "devops"}
    ),
    "report-list": Row(members(200)),
    "report": Row(members(200)),
    "report-csv": Row(only(EXPORTERS, 200)),
    "recertification": Row(members(200)),
    "recertification-csv": Row(only(EXPORTERS, 200)),
    # A round is open, and not everything in it has been looked at: both are refused as such.
    "recertification-start": Row(CLOSED, admins(400)),
    "recertification-sign-off": Row(CLOSED, admins(400)),
    "recertification-confirm": Row(CLOSED, admins(200)),
    "recertification-revoke": Row(CLOSED, admins(200)),
    "environment-list": Row(members(200)),
    "environment-add": Row(
        only(CONFIGURERS, 200), only(CONFIGURERS, 200), {"key": "canary", "kind": "staging"}
    ),
    "change-request-list": Row(members(200)),
    "change-request-export": Row(members(200)),
    "change-request-waiting": Row(members(200)),
    "change-request": Row(members(200)),
    "change-request-dialog": Row(members(404)),  # without a step; see approvals_web
    "change-request-vote": Row(CLOSED, only(APPROVERS, 409), {"verdict": "approve"}),
    "change-request-take-back": Row(CLOSED, members(302)),
    # Dana, the developer, asked for it, in staging; no policy wants anything of it any more.
    "change-request-apply": Row(CLOSED, only(f"{SWITCHERS} elsewhere", 302)),
    # Dana answers for it already.
    "change-request-adopt": Row(CLOSED, members(400)),
    "change-request-withdraw": Row(CLOSED, only(f"developer {CONFIGURERS}", 302)),
    "change-request-renew": Row(CLOSED, members(409)),
    "change-request-comment": Row(CLOSED, members(302), {"text": "Why now?"}),
    "emergency-confirm": Row(CLOSED, members(404)),
    "emergency-revert": Row(CLOSED, members(404)),
    "emergency-review": Row(CLOSED, members(404)),
    "emergency-list": Row(members(200)),
    "policy": Row(members(200)),
    "policy-review": Row(
        CLOSED,
        only(CONFIGURERS, 200),
        {"approvals": "1", "minutes": "60", "days": "30", "version": "0"},
    ),
    "policy-save": Row(
        CLOSED, only(CONFIGURERS, 302), {"document": '{"required_approvals":1}', "version": "0"}
    ),
    "freeze-list": Row(members(200)),
    "freeze-create": Row(only(PLANNERS, 200), only(CONFIGURERS, 200), FREEZE),
    "freeze-preview": Row(CLOSED, only(PLANNERS, 200), FREEZE),
    "freeze-calendar": Row(members(200)),
    "freeze-edit": Row(only(PLANNERS, 200), only(CONFIGURERS, 200), FREEZE | {"version": "1"}),
    "freeze-cancel": Row(only(PLANNERS, 200), only(CONFIGURERS, 200)),
    "history": Row(members(200)),
    "history-event": Row(members(200)),
    "restore-version": Row(members(200), editors(302), {"version": "1"}),
    "history-export": Row(CLOSED, only(EXPORTERS, 200), {"format": "csv"}),
    "site-history": Row(signed_in(403, root=200)),
    "site-history-event": Row(signed_in(403, root=200)),
    "site-history-export": Row(CLOSED, signed_in(403, root=200), {"format": "csv"}),
    "flag-list": Row(members(200)),
    "unknown-flag-list": Row(members(200)),
    "unknown-flag-ignore": Row(CLOSED, editors(302), {"name": "nothing"}),
    "flag-usage": Row(members(200)),
    "flag-explain": Row(members(200), members(200), {"environment": "production"}),
    "past": Row(members(200), members(200), PAST),
    "flag-create": Row(editors(200), editors(302), NEW_FLAG),
    "flag": Row(members(302)),
    "flag-targeting": Row(members(200)),
    "flag-editor": Row(CLOSED, editors(200), {"do": "add-rule"}),
    "flag-try": Row(CLOSED, members(200), {"sample.key": "u-1"}),
    "flag-review": Row(CLOSED, editors(200), TARGETING),
    "flag-save": Row(CLOSED, editors(302), DOCUMENT),
    "flag-switch": Row(CLOSED, only(SWITCHERS, 200), {"enabled": "1"}),
    "flag-mark": Row(members(200)),
    "flag-evaluators": Row(members(200)),
    "flag-timeline": Row(members(200)),
    "flag-plan-create": Row(only(SWITCHERS, 200), only(SWITCHERS, 302), SCHEDULE),
    "flag-plan-preview": Row(CLOSED, only(SWITCHERS, 200), SCHEDULE),
    "flag-plan-steer": Row(members(200), only(SWITCHERS, 302)),
    "flag-history": Row(members(200)),
    "flag-settings": Row(members(200), editors(302), NEW_FLAG | {"version": "1"}),
    "flag-export": Row(members(200)),
    "flag-files": Row(members(200)),
    "flag-file": Row(members(200)),
    "flag-favourite": Row(CLOSED, members(200), {"favourite": "1"}),
    "flag-bulk": Row(CLOSED, editors(200), MANY),
    "flag-compare": Row(members(200)),
    "flag-copy": Row(editors(200), editors(409), {"source": "staging"}),
    "flag-clone": Row(editors(200), editors(302), {"key": "dark-mode"}),
    "context-sampling": Row(members(200), only(CONFIGURERS, 302), {"sampled": "1"}),
    "naming-rule": Row(
        members(200), only(CONFIGURERS, 302), {"pattern": "[a-z]+", "example": "cart"}
    ),
    "view-create": Row(members(200), members(302), {"name": "Old ones", "query": "kind=release"}),
    # A shared one of Dana's; the others may have it shown first.
    "view-edit": Row(members(200), members(302), {"name": "Other"}),
    "view-delete": Row(CLOSED, only(f"developer {CONFIGURERS}", 302)),
    "flag-archive": Row(editors(200), editors(302)),
    "flag-restore": Row(CLOSED, editors(302)),
    "release-board": Row(members(200)),
    "release-list": Row(members(200)),
    "release-export": Row(members(200)),
    "release-line": Row(
        members(200), only("on_call_engineer devops_lead project_admin", 302), {"reason": "Alarm"}
    ),
    "release-new": Row(members(200), only(PLANNERS_OF_RELEASES, 302), NEW_RELEASE),
    "release-preview": Row(CLOSED, members(200), NEW_RELEASE),
    "release-of-flag": Row(members(200)),
    "release": Row(members(200)),
    "release-measured": Row(members(200)),
    "release-note": Row(CLOSED, members(302), {"text": "I look at the graphs."}),
    "release-story": Row(members(200)),
    "release-command": Row(members(200), only(WHO_ROLL_BACK, 200)),
    "release-group-new": Row(members(200), only(PLANNERS_OF_RELEASES, 302), NEW_RELEASE_GROUP),
    "release-group": Row(members(200)),
    "release-group-command": Row(members(200), only(WHO_ROLL_BACK, 200)),
    "release-policies": Row(members(200)),
    "release-policy-create": Row(members(200), only(CONFIGURERS, 302), NEW_POLICY),
    "release-policy": Row(members(200), only(CONFIGURERS, 302), NEW_POLICY | {"version": "1"}),
    "release-policy-delete": Row(members(200), only(CONFIGURERS, 302)),
    "plan-templates": Row(members(200)),
    # A template belongs to no environment either.
    "plan-template-create": Row(members(200), only(f"{PLANNERS_OF_RELEASES} elsewhere", 302), PLAN),
    "plan-template": Row(members(200), only(f"{PLANNERS_OF_RELEASES} elsewhere", 302), PLAN),
    "plan-template-delete": Row(members(200), only(f"{PLANNERS_OF_RELEASES} elsewhere", 302)),
    "service-list": Row(members(200)),
    # A service belongs to no environment: who plans releases in any of them may.
    "service-create": Row(
        members(200),
        only(f"{PLANNERS_OF_RELEASES} elsewhere", 302),
        {"key": "search", "name": "Search"},
    ),
    "service": Row(members(200)),
    "service-edit": Row(
        members(200), only(f"{PLANNERS_OF_RELEASES} elsewhere", 302), {"name": "Till"}
    ),
    "service-setup": Row(
        members(200), only(DEPLOYERS, 302), {"router.kind": "manual", "version": "1"}
    ),
    "service-backtest": Row(members(200)),
    "segment-list": Row(members(200)),
    "segment-create": Row(editors(200), editors(302), {"key": "staff"}),
    "segment": Row(members(200)),
    "segment-edit": Row(editors(200), editors(200), {"version": "1"}),
    "segment-save": Row(CLOSED, editors(302), SEGMENT),
    "segment-test": Row(members(200)),
    "segment-history": Row(members(200)),
    "segment-delete": Row(editors(200), editors(302)),
    "segment-keys": Row(members(200)),
    "segment-csv": Row(members(200)),
    "segment-change": Row(CLOSED, editors(200), {"mode": "remove", "keys": "erin"}),
    "exclusion-group-list": Row(members(200)),
    "exclusion-group-create": Row(editors(200), editors(302), {"key": "search"}),
    "exclusion-group": Row(members(200)),
    "exclusion-group-review": Row(CLOSED, editors(200), {"do": "reshuffle", "version": "1"}),
    "exclusion-group-save": Row(CLOSED, editors(302), GROUP),
    "exclusion-group-history": Row(members(200)),
    "exclusion-group-delete": Row(editors(200), editors(302)),
}
