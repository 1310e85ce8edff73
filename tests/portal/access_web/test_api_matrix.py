"""Which key opens what of the management API. An address missing here fails."""

from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver, reverse

from flags.models import Flag
from tests.portal.access_web.api_world import HOLDERS, keys as keys, known as known
from tests.portal.access_web.asking import Asking, asking as asking, turn_of
from tests.portal.access_web.world import captured, in_parts, patterns, watched
from tests.support.rows import rolled_back

# Who is answered alike everywhere: one of them has the turn.
KEYLESS = ("browser", "revoked", "expired")
SERVING = ("server", "client")
# Where it does not depend on the key what is answered, these few stand for everybody.
FEW = ("nobody", "server", "steward", "elsewhere")
# What a database could change is whether an address works at all.
ON_POSTGRESQL = ("steward",)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
IN = "in"  # let in: what comes then depends on what is sent
Expected = dict[str, int | str]
OPEN: Expected = dict.fromkeys(HOLDERS, IN)
REFUSED: Expected = dict.fromkeys(("nobody", "browser", "revoked", "expired"), 401)
REFUSED |= dict.fromkeys(("server", "client"), 403)
# Flags belong to the project, configurations to the key's own environment.
OF_THE_PROJECT: Expected = REFUSED | {"admin": IN, "steward": IN, "elsewhere": IN, "garden": 404}
OF_THE_ENVIRONMENT: Expected = REFUSED | {
    "admin": IN,
    "steward": IN,
    "elsewhere": 403,
    "garden": 404,
}
# A request is of its environments. Only who asked takes it back, and these keys have not asked.
OF_THE_REQUEST: Expected = REFUSED | {
    "admin": IN,
    "steward": IN,
    "elsewhere": 404,
    "garden": 404,
}
# A key sees those of its environment.
OF_THE_KEY: Expected = OF_THE_REQUEST
# The flag is served in every environment: what all of them notice takes a person.
BEYOND_A_KEY: Expected = OF_THE_PROJECT | dict.fromkeys(("admin", "steward", "elsewhere"), 403)
# Whoever configures the environment takes it back as well.
OF_ITS_AUTHOR: Expected = OF_THE_REQUEST | {"admin": 403}
# The plan of these tests is a schedule.
NO_RAMP: Expected = OF_THE_ENVIRONMENT | {"admin": 404, "steward": 404}
NOTHING: Expected = REFUSED | dict.fromkeys(("admin", "steward", "elsewhere", "garden"), 404)

# Development has none.
OF_A_POLICY: Expected = OF_THE_ENVIRONMENT | {"admin": 404, "steward": 404}
OF_WHOEVER: Expected = REFUSED | dict.fromkeys(("admin", "steward", "elsewhere", "garden"), IN)
# What takes a further right: in the project, and in the key's own environment.
TAKES_A_RIGHT: Expected = OF_THE_PROJECT | {"admin": 403, "elsewhere": 403}
# The window of these tests is for development.
OF_A_FREEZE: Expected = OF_THE_ENVIRONMENT | {"elsewhere": 404}

TABLE: dict[str, tuple[Expected, str]] = {
    "api-flags": (OF_THE_PROJECT, "GET HEAD POST"),
    "api-flag": (OF_THE_PROJECT, "GET HEAD PATCH DELETE"),
    "api-flag-restore": (OF_THE_PROJECT, "POST"),
    "api-configurations": (OF_THE_ENVIRONMENT, "GET HEAD"),
    "api-configuration": (OF_THE_ENVIRONMENT, "GET HEAD PUT PATCH"),
    "api-usage": (OF_THE_ENVIRONMENT, "GET HEAD"),
    "api-explain": (OF_THE_ENVIRONMENT, "POST"),
    "api-past": (OF_THE_ENVIRONMENT, "POST"),
    "api-unknown-flags": (OF_THE_ENVIRONMENT, "GET HEAD"),
    "api-import": (OF_THE_ENVIRONMENT, "POST"),
    "api-export": (OF_THE_PROJECT, "GET HEAD"),
    "api-environment-export": (OF_THE_ENVIRONMENT, "GET HEAD"),
    "api-schedules": (OF_THE_ENVIRONMENT, "GET HEAD POST"),
    "api-schedule": (OF_THE_ENVIRONMENT, "GET HEAD"),
    "api-schedule-pause": (OF_THE_ENVIRONMENT, "POST"),
    "api-schedule-resume": (OF_THE_ENVIRONMENT, "POST"),
    "api-schedule-cancel": (OF_THE_ENVIRONMENT, "POST"),
    "api-ramps": (OF_THE_ENVIRONMENT, "GET HEAD POST"),
    "api-ramp": (NO_RAMP, "GET HEAD"),
    "api-ramp-pause": (NO_RAMP, "POST"),
    "api-ramp-resume": (NO_RAMP, "POST"),
    "api-ramp-cancel": (NO_RAMP, "POST"),
    "api-segments": (OF_THE_PROJECT, "GET HEAD POST"),
    "api-segment": (OF_THE_PROJECT, "GET HEAD PATCH DELETE"),
    "api-segment-keys": (OF_THE_PROJECT, "GET HEAD POST"),
    "api-exclusion-groups": (OF_THE_PROJECT, "GET HEAD POST"),
    "api-exclusion-group": (OF_THE_PROJECT, "GET HEAD PATCH DELETE"),
    "api-flag-clone": (OF_THE_PROJECT, "POST"),
    "api-bulk": (OF_THE_PROJECT, "POST"),
    "api-copy": (OF_THE_ENVIRONMENT, "POST"),
    "api-freezes": (OF_THE_PROJECT, "GET HEAD"),
    "api-freeze": (OF_A_FREEZE, "GET HEAD"),
    "api-alerts": (OF_THE_ENVIRONMENT, "GET HEAD POST"),
    "api-line": (OF_THE_ENVIRONMENT, "GET HEAD"),
    "api-evidence": (OF_THE_PROJECT, "GET HEAD POST"),
    "api-change-requests": (OF_THE_PROJECT, "GET HEAD"),
    "api-change-request": (OF_THE_REQUEST, "GET HEAD"),
    "api-change-request-comments": (OF_THE_REQUEST, "GET HEAD POST"),
    "api-change-request-withdraw": (OF_ITS_AUTHOR, "POST"),
    "api-history": (OF_THE_PROJECT, "GET HEAD"),
    "api-history-restore": (OF_THE_PROJECT, "GET HEAD POST"),
    "api-policy": (OF_A_POLICY, "GET HEAD"),
    "api-services": (OF_THE_PROJECT, "GET HEAD"),
    "api-service": (OF_THE_PROJECT, "GET HEAD PUT"),
    "api-setup": (OF_THE_ENVIRONMENT, "GET HEAD PUT"),
    "api-backtest": (OF_THE_ENVIRONMENT, "POST"),
    "api-artefacts": (OF_THE_PROJECT, "GET HEAD"),
    "api-releases": (OF_THE_PROJECT, "GET HEAD POST"),
    "api-release": (OF_THE_KEY, "GET HEAD"),
    "api-release-command": (OF_THE_KEY, "POST"),
    "api-release-events": (OF_THE_KEY, "GET HEAD"),
    "api-release-notes": (OF_THE_KEY, "GET HEAD POST"),
    "api-release-wait": (OF_THE_KEY, "GET HEAD"),
    "api-release-groups": (OF_THE_PROJECT, "GET HEAD POST"),
    "api-release-group": (OF_THE_KEY, "GET HEAD"),
    "api-release-group-command": (OF_THE_KEY, "POST"),
    "api-release-group-wait": (OF_THE_KEY, "GET HEAD"),
    "api-release-preview": (OF_THE_PROJECT, "POST"),
    "api-release-advice": (OF_THE_PROJECT, "GET HEAD"),
    "api-plan-templates": (OF_THE_PROJECT, "GET HEAD"),
    "api-plan-template": (OF_THE_PROJECT, "GET HEAD PUT DELETE"),
    "api-release-policies": (OF_THE_PROJECT, "GET HEAD"),
    "api-release-policy": (OF_THE_KEY, "GET HEAD"),
    # Every admin key looks at who has access.
    "api-projects": (OF_WHOEVER, "GET HEAD"),
    "api-project": (OF_THE_PROJECT, "GET HEAD"),
    "api-environments": (OF_THE_PROJECT, "GET HEAD"),
    "api-environment": (OF_THE_PROJECT, "GET HEAD"),
    "api-members": (OF_THE_PROJECT, "GET HEAD"),
    "api-grants": (OF_THE_PROJECT, "GET HEAD"),
    "api-member": (TAKES_A_RIGHT, ""),
    "api-grant": (TAKES_A_RIGHT, ""),
    "api-groups": (OF_THE_PROJECT, "GET HEAD"),
    "api-group": (OF_THE_PROJECT, "GET HEAD"),
    "api-group-member": (TAKES_A_RIGHT, ""),
    "api-roles": (OF_THE_PROJECT, "GET HEAD"),
    "api-role": (OF_THE_PROJECT, "GET HEAD"),
    "api-invitation": (TAKES_A_RIGHT, ""),
    "api-invitations": (OF_THE_PROJECT, "GET HEAD"),
    "api-keys": (OF_THE_PROJECT, "GET HEAD"),
    "api-key": (OF_THE_KEY, "GET HEAD"),
    "api-nothing": (NOTHING, "GET HEAD POST PUT PATCH DELETE"),
    "api-schema": (OPEN, "GET HEAD"),
    "api-docs": (OPEN, "GET HEAD"),
}
# What takes another right than reading the same address.
WRITES: dict[str, str] = {
    "api-project": "PATCH",
    "api-environments": "POST",
    "api-members": "POST",
    "api-member": "PATCH DELETE",
    "api-grants": "POST",
    "api-grant": "DELETE",
    "api-groups": "POST",
    "api-group": "PATCH DELETE",
    "api-group-member": "PUT DELETE",
    "api-roles": "POST",
    "api-role": "PATCH DELETE",
    "api-invitations": "POST",
    "api-invitation": "DELETE",
    "api-keys": "POST",
    "api-key": "PATCH DELETE",
    "api-freezes": "POST",
    "api-freeze": "PUT DELETE",
    "api-environment": "PATCH",
    "api-policy": "PUT",
    "api-line": "PUT",
    "api-release-policy": "PUT DELETE",
}


def test_every_address_of_the_api_stands_in_the_table() -> None:
    names = {str(one.name) for one in patterns(get_resolver().url_patterns)}
    assert set(TABLE) == {name for name in names if name.startswith("api-")}


@pytest.mark.postgresql
@pytest.mark.parametrize("names", in_parts(TABLE))
def test_every_key_is_answered_as_the_table_says(
    keys: dict[str, str],
    known: dict[str, Any],
    alice_client: Client,
    names: list[str],
    asking: Asking,
) -> None:
    for name in names:
        address = reverse(name, kwargs={one: known[one] for one in captured(name)})
        for method in METHODS:
            wanted = expected(name, method)
            for holder in holders_asked(name, method, asking):
                browser = alice_client if holder == "browser" else Client()
                found = answer(browser, method, address, bearer(keys[holder]))
                assert found == wanted[holder], (name, method, holder)


@pytest.mark.parametrize("holder", HOLDERS[2:])
def test_a_key_is_taken_in_either_header_alike(
    keys: dict[str, str], new_checkout: Flag, holder: str
) -> None:
    arguments = {"project": "shop", "environment": "development", "key": new_checkout.key}
    address = reverse("api-configuration", kwargs=arguments)
    for method in METHODS:
        found = answer(Client(), method, address, {"X-API-Key": keys[holder]})
        assert found == expected("api-configuration", method)[holder], method


def holders_asked(name: str, method: str, asking: Asking) -> tuple[str, ...]:
    """Whose keys; by turns where they are answered alike and the run is not the whole one."""
    if asking.smoke:
        return ON_POSTGRESQL
    interesting, turn = _is_of_interest(name, method), turn_of(name) + METHODS.index(method)
    if asking.whole:
        return HOLDERS if interesting else FEW
    if interesting:
        alike = KEYLESS[turn % len(KEYLESS)], SERVING[turn % len(SERVING)]
        return ("nobody", *alike, "admin", "steward", "elsewhere", "garden")
    return ("nobody", "steward") if method == "DELETE" else (FEW[turn % len(FEW)],)


def _is_of_interest(name: str, method: str) -> bool:
    """Whether it depends on the key what the address answers."""
    row, taken = TABLE[name]
    answered = f"{taken} {WRITES.get(name, '')}".split()
    return row != OPEN and method in answered and method != "HEAD"


def expected(name: str, method: str) -> Expected:
    """What every holder is answered."""
    if (name, method) == ("api-flag", "DELETE"):
        return BEYOND_A_KEY
    if method in WRITES.get(name, "").split():
        return TAKES_A_RIGHT
    row, taken = TABLE[name]
    if method in taken.split():
        return row
    # What an address does not take it says only to who shows an admin key.
    return dict.fromkeys(HOLDERS, 405) | (REFUSED if row != OPEN else {})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def answer(browser: Client, method: str, address: str, headers: dict[str, str]) -> int | str:
    """What somebody is answered; who is refused must have changed nothing."""
    with rolled_back(), watched() as written:
        response = browser.generic(method, address, "{}", "application/json", headers=headers)
        status = response.status_code
        assert status < 500
        if status in (401, 403, 404, 405):
            assert written == []
            return status
        return IN
