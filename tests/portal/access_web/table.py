"""The authorization matrix: what every address answers to everybody."""

from dataclasses import dataclass, field

SIGN_IN = "sign-in"
PEOPLE = ("anonymous", "stranger", "viewer", "editor", "admin")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
Expected = tuple[int | str, ...]

# Expected, for the people in their order.
CLOSED: Expected = (SIGN_IN, 405, 405, 405, 405)
AWAY: Expected = (200, 302, 302, 302, 302)


def everyone(status: int) -> Expected:
    return (status,) * 5


def signed_in(status: int) -> Expected:
    return (SIGN_IN, status, status, status, status)


def members(status: int) -> Expected:
    return (SIGN_IN, 404, status, status, status)


def editors(status: int) -> Expected:
    return (SIGN_IN, 404, 403, status, status)


def admins(status: int) -> Expected:
    return (SIGN_IN, 404, 403, 403, status)


@dataclass(frozen=True)
class Row:
    """What an address answers; ``fields`` is a form that it accepts."""

    get: Expected
    post: Expected = CLOSED
    fields: dict[str, str] = field(default_factory=dict)
    others: Expected = CLOSED
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
KEY = {"name": "Shop front", "environment": "development", "kind": "server"}
# The management API knows keys alone: whom a browser is signed in as makes no difference.
BY_KEY_ALONE = everyone(401)

TABLE = {
    "health": Row(everyone(200), everyone(405), others=everyone(405)),
    "ready": Row(everyone(200), everyone(405), others=everyone(405)),
    "metrics": Row(everyone(200), everyone(405), others=everyone(405)),
    "sign-in": Row(AWAY, AWAY, others=(405, 302, 302, 302, 302), put=AWAY),
    "sign-out": Row(signed_in(405), signed_in(302)),
    "password_change": Row(signed_in(200), signed_in(200), put=signed_in(200)),
    "password_change_done": Row(signed_in(200)),
    "home": Row(signed_in(302)),
    "project-list": Row(signed_in(200)),
    "project-create": Row(signed_in(200), signed_in(403), {"key": "new", "name": "New"}),
    "key-list": Row(members(200)),
    "key-create": Row(admins(200), admins(200), KEY),
    "key-revoke": Row(admins(200), admins(200)),
    "member-list": Row(members(200)),
    "member-add": Row(admins(200), admins(200), {"username": "erin", "role": "viewer"}),
    "member-role": Row(CLOSED, admins(200), {"role": "developer"}),
    "member-remove": Row(CLOSED, admins(200)),
    "environment-list": Row(members(200)),
    "environment-add": Row(admins(200), admins(200), {"key": "canary", "kind": "staging"}),
    "change-request-list": Row(members(200)),
    "change-request": Row(members(200)),
    "policy": Row(members(200)),
    "flag-list": Row(members(200)),
    "flag-create": Row(editors(200), editors(302), NEW_FLAG),
    "flag": Row(members(302)),
    "flag-targeting": Row(members(200)),
    "flag-editor": Row(CLOSED, editors(200), {"do": "add-rule"}),
    "flag-review": Row(CLOSED, editors(200), TARGETING),
    "flag-save": Row(CLOSED, editors(302), DOCUMENT),
    "flag-switch": Row(CLOSED, editors(200), {"enabled": "1"}),
    "flag-history": Row(members(200)),
    "flag-settings": Row(members(200), editors(302), NEW_FLAG | {"version": "1"}),
    "flag-archive": Row(editors(200), editors(302)),
    "flag-restore": Row(CLOSED, editors(302)),
}
TABLE |= dict.fromkeys(
    (
        "api-flags",
        "api-flag",
        "api-configuration",
        "api-import",
        "api-evidence",
        "api-change-requests",
        "api-change-request",
        "api-change-request-withdraw",
        "api-nothing",
    ),
    Row(BY_KEY_ALONE, BY_KEY_ALONE, others=BY_KEY_ALONE),
)
TABLE |= dict.fromkeys(
    ("api-schema", "api-docs"), Row(everyone(200), everyone(405), others=everyone(405))
)
