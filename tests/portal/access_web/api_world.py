"""What the matrix of the API speaks of, and a key for every holder."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from flags.exclusion_groups.services import create_group
from flags.models import Flag
from flags.segments.services import create_segment
from portal.access import services
from portal.access.models import ApiKey, Environment, Project, User
from portal.access.permissions import ADDITIONAL_RIGHTS
from portal.access.services import issue_key, revoke_key
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.journal import Intent
from tests.support.agreeing import ask_for_something
from tests.support.desk import Desk
from tests.support.freezing import a_freeze
from tests.support.grouping import an_aborted_group
from tests.support.people import SETTING_UP
from tests.support.planning import a_schedule
from tests.support.releasing import a_policy, a_template, an_aborted_release
from tests.support.remembering import remembered

# The key is for development of the shop, and so are the addresses.
# The steward's key has every right that keys can have. Somebody who is signed in with a browser has
# every right in the shop, and shows no key.
HOLDERS = (
    *("nobody", "browser", "server", "client", "admin", "steward"),
    *("elsewhere", "garden", "revoked", "expired"),
)


@pytest.fixture
def keys(development: Environment, staging: Environment, garden: Project) -> dict[str, str]:
    """A token for each holder."""
    return remembered("keys", lambda: _issue_keys(development, staging, garden))


def _issue_keys(development: Environment, staging: Environment, garden: Project) -> dict[str, str]:
    now = clock.now()
    places = {"elsewhere": staging, "garden": garden.environments.get(key="development")}
    found = {"nobody": "", "browser": ""}
    for holder in HOLDERS[2:]:
        issued = issue_key(
            environment=places.get(holder, development),
            kind=holder if holder in ("server", "client") else "admin",
            name=holder,
            intent=Intent(SETTING_UP, at=now),
            rights=ADDITIONAL_RIGHTS if holder == "steward" else (),
        )
        found[holder] = str(issued.token)
        if holder == "revoked":
            revoke_key(key=issued.key, intent=Intent(SETTING_UP, at=now))
        if holder == "expired":
            ApiKey.objects.filter(pk=issued.key.pk).update(expires_at=now - timedelta(seconds=1))
    return found


@pytest.fixture
def known(keys: dict[str, str], new_checkout: Flag, dana: User) -> dict[str, Any]:
    """What is named in the addresses."""
    return remembered("what the API matrix speaks of", lambda: _make_known(new_checkout, dana))


def _make_known(flag: Flag, dana: User) -> dict[str, Any]:
    shop, now = flag.project, clock.now()
    # Of the same key as the flag, so that one argument names them all.
    for create in (create_segment, create_group):
        create(project=shop, document={"key": flag.key}, intent=Intent(SETTING_UP, at=now))
    asked = ask_for_something(flag, dana, "development")
    a_key = ApiKey.objects.filter(environment__project=shop).earliest("pk")
    plan = a_schedule(Desk(flag, shop.environments.get(key="development"), now), dana)
    return (
        {
            "project": shop.key,
            "environment": "development",
            "key": flag.key,
            "number": asked.pk,
            "selector": a_key.selector,
            "plan": plan.pk,
            "which": "included",
            "record": AuditEvent.objects.get(project=shop.key, event="flag.created").sequence,
        }
        | _releases(shop)
        | _access(shop, dana, now=now)
    )


def _releases(shop: Project) -> dict[str, object]:
    """A service with a release that is over, and a plan template and a release policy."""
    development = shop.environments.get(key="development")
    release = an_aborted_release(development)
    return {
        "service": release.service.key if release.service else "",
        "release": release.pk,
        "release_group": an_aborted_group(development).pk,
        "command": "abort",
        "template": a_template(shop).key,
        "policy": a_policy(shop, environments=["development"]).key,
    }


def _access(shop: Project, dana: User, *, now: datetime) -> dict[str, object]:
    """A group with somebody in it, a role, an invitation, a grant and a window."""
    by: dict[str, Any] = {"project": shop, "intent": Intent(SETTING_UP, at=now)}
    group = services.create_group(key="crew", name="Crew", **by)
    services.add_to_group(group=group, user=dana, intent=Intent(SETTING_UP))
    role = services.create_role(key="shipper", name="S", permissions=["flag.view"], **by)
    sent = services.create_invitation(role="viewer", **by)
    return {
        "group": group.key,
        "role": role.key,
        "username": dana.username,
        "invitation": sent.invitation.selector,
        "grant": shop.grants.filter(user=dana).earliest("pk").pk,
        "freeze": a_freeze(shop).pk,
    }
