"""Every address that takes more than a GET, sent something by somebody.

Addresses are found in the URL table, so that a new one is driven too; pages are sent the forms of
the matrix of pages, the API what ``BODIES`` says. ``careful`` answers the dialogs that come first.
"""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from django.test import Client
from django.urls import get_resolver, reverse

from flags.schedules.models import Plan
from portal.access.models import ApiKey, Grant
from portal.approvals.models import ChangeRequest, Emergency, State
from releases.core.command_rules import COMMANDS
from releases.core.models import Release, ReleaseGroup
from tests.flags.references.world import IN_BETA, World
from tests.portal.access_web.table import TABLE
from tests.portal.access_web.world import captured, patterns
from tests.support.people import boolean_flag, client_of

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
ON = {
    "enabled": True,
    "off_variant": "off",
    "fallthrough": {"variant": "on"},
    "salt": "s",
    "rules": [IN_BETA],
}
SWAPPED = [{"key": "on", "value": False}, {"key": "off", "value": True}]
FILE = {
    "flags": [
        boolean_flag("cart") | {"variants": SWAPPED, "environments": {"production": ON}},
        boolean_flag("nowhere") | {"environments": {"production": ON, "development": ON}},
    ]
}
OF_FLAG = {"environment": "production", "strategy": "feature_flag"}
IN_STEP = [
    OF_FLAG | {"flag": "dark", "variant": "on"},
    OF_FLAG | {"flag": "banner", "variant": "off"},
]
BODIES: dict[tuple[str, str], list[object]] = {
    ("api-flags", "POST"): [boolean_flag("nowhere")],
    ("api-flag", "PATCH"): [
        {"variants": SWAPPED},
        {"client_visible": True},
        {"metadata": {"a": 1}},
    ],
    ("api-configuration", "PUT"): [ON],
    ("api-configuration", "PATCH"): [{"enabled": True}, {"introduced": True}, {"enabled": False}],
    ("api-import", "POST"): [FILE],
    ("api-flag-clone", "POST"): [{"key": "nowhere", "environments": ["production"]}],
    ("api-copy", "POST"): [{"source": "staging", "state": True}],
    ("api-bulk", "POST"): [
        {"action": "archive", "flags": ["cart"], "force": True},
        {"action": "turn_on", "flags": ["dark", "fresh"], "environment": "production"},
    ],
    ("api-segment", "PATCH"): [{"when": {"all": []}}],
    ("api-segment-keys", "POST"): [{"mode": "add", "keys": ["erin", "user-1"]}],
    ("api-exclusion-group", "PATCH"): [{"salt": "other"}, {"holdout": 20}],
    ("api-segments", "POST"): [{"key": "new"}],
    ("api-exclusion-groups", "POST"): [{"key": "new"}],
    ("api-policy", "PUT"): [{"required_approvals": 1}],
    ("api-evidence", "POST"): [{}],
    ("api-releases", "POST"): [
        OF_FLAG | {"flag": "dark", "variant": "on"},
        OF_FLAG | {"flag": "banner", "variant": "off", "hold": True},
        OF_FLAG | {"flag": "dark", "variant": "on", "not_before": "2020-01-01T00:00:00Z"},
    ],
    ("api-release-command", "POST"): [{"reason": "because"}],
    ("api-release-groups", "POST"): [
        {"name": "both", "members": IN_STEP},
        {"name": "both", "members": IN_STEP, "hold": True},
    ],
    ("api-release-group-command", "POST"): [{"reason": "because"}],
    ("api-service", "PUT"): [{}],
    ("api-setup", "PUT"): [
        {"router": {"kind": "flag", "flag": "banner", "variants": ["on", "off"]}}
    ],
}
FORMS: dict[str, list[dict[str, str]]] = {
    "flag-switch": [{"enabled": "1"}, {"enabled": "0"}, {"introduce": "1", "enabled": "0"}],
    "flag-save": [{"document": json.dumps(ON)}],
    "flag-copy": [{"source": "staging", "state": "1", "source_version": "1"}],
    "flag-clone": [{"key": "nowhere", "environment": "production"}],
    "flag-bulk": [
        {"flag": "dark", "action": "turn_on:production"},
        {"flag": "cart", "action": "archive"},
    ],
    "segment-save": [{"document": '{"key":"beta","when":{"all":[]}}'}],
    "segment-change": [{"mode": "add", "keys": "erin", "do": "save"}],
    "policy-save": [{"document": '{"required_approvals":1}'}],
}


def unsafe_routes() -> Iterator[tuple[str, str]]:
    """Each address by its name, with each method that changes something somewhere."""
    for name in sorted({str(one.name) for one in patterns(get_resolver().url_patterns)}):
        for method in UNSAFE if name.startswith("api-") else UNSAFE[:1]:
            yield name, method


def send(world: World, dice: Random, name: str, method: str) -> None:
    """Send something to an address, as a person with a browser or as a key."""
    address = _address(world, dice, name)
    if name.startswith("api-"):
        _send_by_key(world, dice, name, method, address)
        return
    person = world.people[dice.choice(["alice", "dana", "erin", "frank", "bob"])]
    client_of(person).post(address, _form(world, dice, name, address))


def _send_by_key(world: World, dice: Random, name: str, method: str, address: str) -> None:
    token = world.tokens[dice.choice([*world.tokens])]
    headers = {"Authorization": f"Bearer {token}", "If-Match": f'"{_version(world, address)}"'}
    body = json.dumps(dice.choice(BODIES.get((name, method), [{}])))
    query = {"api-import": "?format=native", "api-flag": "?force=1"}.get(name, "")
    query = query if method in ("POST", "DELETE") else ""
    Client().generic(method, address + query, body, "application/json", headers=headers)


def _form(world: World, dice: Random, name: str, address: str) -> dict[str, str]:
    form = {**TABLE[name].fields, **dice.choice(FORMS.get(name, [{}]))}
    careful = {"confirmed": "1", "typed": "production", "reason": "because"}
    return form | careful | {"version": str(_version(world, address))}


def _version(world: World, address: str) -> int:
    """The version of what an address is about, as somebody knows it who looked."""
    key = address.rstrip("/").rpartition("/")[2]
    for flag in world.flags:
        if flag in address.split("/"):
            if "/production" in address:
                return world.row(flag, world.production).version
            return world.flag(flag).version
    return 1 if key != "policy" else 2


def _address(world: World, dice: Random, name: str) -> str:
    known = arguments(world, dice)
    if "segment" in name:
        known["key"] = dice.choice(["beta", "spare"])
    if "group" in name:
        known["key"] = "line"
    return reverse(name, kwargs={one: known[one] for one in captured(name)})


def arguments(world: World, dice: Random) -> dict[str, Any]:
    """What stands in addresses; a number of something that is not there is answered as such."""
    requests = ChangeRequest.objects.filter(state=State.OPEN).values_list("pk", flat=True)
    places = ["production", "production", "development"]
    plan, grant = Plan.objects.last(), Grant.objects.filter(project=world.project).last()
    release, group = Release.objects.last(), ReleaseGroup.objects.last()
    emergency, key = Emergency.objects.last(), ApiKey.objects.last()
    return {
        "project": "shop",
        "environment": dice.choice(places),
        "key": dice.choice([*world.flags]),
        "number": dice.choice([*requests, 0]),
        "plan": plan.pk if plan else 0,
        "emergency": emergency.pk if emergency else 0,
        "selector": key.selector if key else "x",
        "grant": grant.pk if grant else 0,
        "grant_id": grant.pk if grant else 0,
        "username": "bob",
        "user_id": world.people["bob"].pk,
        "which": "included",
        "kind": dice.choice(["schedule", "ramp"]),
        "step": dice.choice(["pause", "resume", "cancel"]),
        "permission": dice.choice(["change_request.approve", "flag.toggle"]),
        "report": "keys",
        "token": "nothing",
        "service": "checkout",
        "release": release.pk if release else 0,
        "release_group": group.pk if group else 0,
        "command": dice.choice([*COMMANDS]),
        "template": "careful",
        "policy": "guarded",
        **dict.fromkeys(("group", "role", "invitation"), "nothing"),
        **dict.fromkeys(
            ("view", "freeze", "record", "session_id", "link_id", "sequence", "item_id"), 0
        ),
    }
