"""A shop with a governed production, what its evaluators answer, and what may change that.

``Watch`` compares before and after a write. A difference needs one of four reasons, each looked up
in the history and in the tables: a request that two people in the right roles approved, a due step
of an agreed plan, broken glass or its end, or a write that did nothing but turn flags off.
"""

import json
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flags.core import definitions
from flags.evaluator import ofrep
from flags.evaluator.counters import Counters
from flags.exclusion_groups import services as group_services
from flags.models import Flag, FlagConfiguration
from flags.schedules.models import Plan
from flags.segments import services as segment_services
from flags.transfer import exports
from portal.access import authority
from portal.access.models import ActionRule, ApiKey, Environment, Project, User
from portal.access.permissions import ADDITIONAL_RIGHTS, Permission
from portal.access.services import issue_key
from portal.approvals.models import ChangeRequest, Policy, State, Verdict
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.journal import Actor, Intent, Trace
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.answering import state_of
from tests.support.desk import COUNTRY, Desk
from tests.support.people import SETTING_UP, acting, boolean_flag
from tests.support.planning import a_schedule
from tests.support.remembering import remembered
from tests.support.rows import everything_kept

CONTEXTS: tuple[dict[str, object], ...] = (
    {},
    {"targetingKey": "user-1", "country": "DE"},
    {"targetingKey": "erin", "country": "FR"},
)
THEMES = [{"key": key, "value": key} for key in ("light", "dark", "spare")]
IN_BETA = {"id": "beta", "when": {"segment": "beta"}, "serve": {"variant": "on"}}
SHARED = {
    "id": "shared",
    "when": COUNTRY,
    "audience": {"percent": 50, "group": "line"},
    "serve": {"variant": "on"},
}
ROLES = {"senior_developer", "devops_lead"}


class Unagreed(AssertionError):
    """Evaluators of the governed environment answer otherwise, and nobody agreed to it."""


@dataclass
class World:
    """The shop: cart, banner and theme are on in production, dark is off, old archived, and fresh
    and later are not introduced there."""

    project: Project
    people: dict[str, User]
    keys: dict[str, ApiKey] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)

    def govern(self) -> None:
        """Give production the policy back that others agreed to lower or take away."""
        rows = Policy.objects.filter(environment=self.production)
        if list(rows.values()) != [self.policy]:
            rows.delete()
            Policy.objects.create(**self.policy)

    @property
    def production(self) -> Environment:
        return self.place("production")

    @property
    def now(self) -> datetime:
        return clock.now()

    @property
    def actors(self) -> dict[str, Actor]:
        found = {name: acting(user) for name, user in self.people.items()}
        trace = Trace("a-request", "192.0.2.7", "a script")
        return found | {name: authority.key_actor(key, trace) for name, key in self.keys.items()}

    def place(self, key: str) -> Environment:
        place = self.project.environments.get(key=key)
        place.project = self.project
        return place

    def flag(self, key: str) -> Flag:
        flag = Flag.objects.get(project=self.project, key=key)
        flag.project = self.project
        return flag

    def row(self, key: str, place: Environment) -> FlagConfiguration:
        return FlagConfiguration.objects.get(flag__key=key, environment=place)

    @property
    def flags(self) -> list[str]:
        return sorted(Flag.objects.filter(project=self.project).values_list("key", flat=True))


def build(project: Project, people: dict[str, User]) -> World:
    """The shop, its policy the last thing that comes."""
    made: World = remembered("governed shop", lambda: _make(World(project, people)))
    world = World(project, people, tokens=dict(made.tokens), policy=dict(made.policy))
    for name, key in made.keys.items():
        world.keys[name] = ApiKey.objects.select_related("environment__project").get(pk=key.pk)
    return world


def _make(world: World) -> World:
    project = world.project
    common: dict[str, Any] = {"project": project, "intent": Intent(SETTING_UP, at=world.now)}
    for key in ("beta", "inner", "spare"):
        segment_services.create_segment(**common, document={"key": key})
    flags = [boolean_flag(key) for key in ("cart", "banner", "dark", "old")]
    flags[0]["client_visible"] = True
    theme = {"key": "theme", "value_type": "string", "variants": THEMES}
    for document in (*flags, theme):
        definitions.create_flag(**common, document=document)
    slots = [{"flag": "cart", "from": 0, "to": 60}]
    group_services.create_group(**common, document={"key": "line", "slots": slots})
    group_services.create_group(**common, document={"key": "empty"})
    for place in map(world.place, ("production", "staging")):
        _configure(world, place)
    definitions.archive_flag(flag=world.flag("old"), intent=Intent(SETTING_UP, at=world.now))
    _issue_keys(world)
    set_policy(world.production, **TWO_ROLES, break_glass=["devops_lead"])
    world.policy = {**Policy.objects.filter(environment=world.production).values().get()}
    _not_introduced(world)
    return world


def _configure(world: World, place: Environment) -> None:
    wanted: dict[str, dict[str, Any]] = {
        "banner": {"enabled": True},
        "theme": {"enabled": True},
        "old": {"enabled": True},
        "cart": {
            "enabled": True,
            "fallthrough": {"variant": "off"},
            "rules": [IN_BETA, SHARED],
            "prerequisites": [{"flag": "banner", "variants": ["on"]}],
        },
    }
    for key, changes in wanted.items():
        Desk(world.flag(key), place, world.now).save(SETTING_UP, **changes)


def _issue_keys(world: World) -> None:
    for name in ("development", "production"):
        issued = issue_key(
            environment=world.place(name),
            kind="admin",
            name=f"{name} key",
            intent=Intent(acting(world.people["alice"]), at=world.now),
            rights=ADDITIONAL_RIGHTS,
        )
        world.keys[f"{name} key"] = issued.key
        world.tokens[f"{name} key"] = str(issued.token)


def _not_introduced(world: World) -> None:
    desk = Desk(world.flag("cart"), world.production, world.now)
    for key in ("fresh", "later"):
        desk.create(world.people["dana"], key)
    later = Desk(world.flag("later"), world.production, world.now)
    later.save(world.people["dana"], prerequisites=[{"flag": "fresh", "variants": ["off"]}])
    elsewhere = Desk(world.flag("banner"), world.place("development"), world.now)
    a_schedule(elsewhere, world.people["dana"])


def answers_of(place: Environment, flags: Iterable[str]) -> dict[str, object]:
    """Everything that evaluators answer in an environment, without versions."""
    place.refresh_from_db()
    state, found = state_of(place), {}
    for context in CONTEXTS:
        for is_client in (False, True):
            who = f"{json.dumps(context)} {'client' if is_client else 'server'}"
            arguments: dict[str, Any] = {"is_client": is_client, "counters": Counters()}
            found[f"bulk {who}"] = _plain(_at_once(ofrep.evaluate_all(state, context, **arguments)))
            for flag in flags:
                status, body = ofrep.evaluate_one(state, flag, context, **arguments)
                found[f"{flag} {who}"] = (status, _plain(body))
    file = exports.export_environment(place, format_name="flagd").document
    # A variant that nothing serves stands in the file all the same; values are answers above.
    for one in file["flags"].values():
        del one["variants"], one["metadata"]["version"]
    found["flagd file"] = file
    return found


def _at_once(answering: Coroutine[object, None, tuple[bytes, bytes]]) -> bytes:
    """What so few flags are answered with, without a loop: nothing gives way."""
    try:
        answering.send(None)
    except StopIteration as end:
        return bytes(end.value[0])
    raise AssertionError("it gave way")


def _plain(body: bytes) -> object:
    document = json.loads(body)
    for one in (document, *document.get("flags", [])):
        one.get("metadata", {}).pop("version", None)
    return document


def agreement_of(world: World) -> dict[str, Any]:
    """What it takes to agree: the policy, and which roles may approve in production."""
    policy = Policy.objects.filter(environment=world.production).first()
    approve = Permission.CHANGE_REQUEST_APPROVE
    rule = ActionRule.objects.filter(environment=world.production, permission=approve).first()
    roles = authority.role_table(world.project).items()
    held = {name for name, permitted in roles if approve in permitted}
    return {
        "policy": policy and policy.document,
        "approvers": set(rule.roles) if rule else held,
        "roles": {name for name, _permitted in roles},
    }


class Watch:
    """What evaluators answered before a write, to be compared with what they answer after it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._look()

    def _look(self) -> None:
        self._kept = everything_kept()
        self._flags = [*self._world.flags, "nowhere"]
        self._before = answers_of(self._world.production, self._flags)
        self._agreement = agreement_of(self._world)
        self._last = _last_sequence()

    def check(self, what: str) -> bool:
        """Whether answers changed since the last look. Raises Unagreed where nobody agreed."""
        if everything_kept() == self._kept:  # what is answered comes from there
            return False
        flags, before, agreement, last = self._flags, self._before, self._agreement, self._last
        self._look()
        rows = list(AuditEvent.objects.filter(sequence__gt=last).order_by("sequence"))
        changed = [name for name, one in before.items() if one != self._before[name]]
        new = set(self._flags) - set(flags)
        changed += sorted(new & set(state_of(self._world.production).flags))
        agreed = any(_is_agreed(row, self._world) for row in rows)
        if changed and not (agreed or _only_turns_off(rows)):
            sides = [str(one.get(changed[0]))[:600] for one in (before, self._before)]
            events = [row.event for row in rows]
            raise Unagreed(f"{what}: {changed[:3]} by {events}: " + " became ".join(sides))
        if not agreed and _is_weaker(agreement, self._agreement):
            raise Unagreed(f"{what}: {agreement} became {self._agreement}")
        self._world.govern()
        self._agreement, self._kept = agreement_of(self._world), everything_kept()
        return bool(changed)


def _last_sequence() -> int:
    row = AuditEvent.objects.order_by("-sequence").first()
    return row.sequence if row else 0


def _is_agreed(row: AuditEvent, world: World) -> bool:
    """Whether a row tells of one of the ways in which others agree, or answer for it later."""
    if row.event in ("break_glass.used", "break_glass.reverted"):
        return True
    if row.event == "change_request.applied":
        return _is_approved(ChangeRequest.objects.get(pk=row.subject), world)
    plan = row.actor.split(" ")[1] if row.actor_kind == "system" else ""
    if plan.isdigit():
        found = Plan.objects.filter(pk=plan).select_related("agreement").first()
        return bool(found and found.agreement and _is_approved(found.agreement, world))
    return False


def _is_approved(request: ChangeRequest, world: World) -> bool:
    """Two people, none of them its author, of both roles, about exactly this, in production."""
    votes = request.votes.filter(verdict=Verdict.APPROVE, digest=request.digest)
    voters = {vote.user for vote in votes.select_related("user")} - {request.author_user}
    names: set[str] = set()
    for voter in voters:
        names |= authority.role_assignments_of(voter, world.project).names_in(world.production.pk)
    in_place = request.environments.filter(pk=world.production.pk).exists()
    return request.state == State.APPLIED and in_place and len(voters) > 1 and names >= ROLES


def _only_turns_off(rows: list[AuditEvent]) -> bool:
    """Whether all that happened to flags in production is that some were turned off."""
    about = [row for row in rows if row.subject_kind in ("flag", "segment", "exclusion_group")]
    return bool(about) and all(
        row.event == "flag.disabled"
        and {**(row.before_document or {}), "enabled": False} == row.after_document
        for row in about
        if row.environment in ("", "production")
    )


def _is_weaker(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether it takes less to agree than it did."""
    was, becomes = before["policy"], after["policy"]
    if was and not becomes:
        return True
    if was and becomes["required_approvals"] < was["required_approvals"]:
        return True
    if was and not set(becomes["required_roles"]) >= set(was["required_roles"]):
        return True
    # A role that is new is held by nobody; who gives it to whom is not asked here.
    return not after["approvers"] & before["roles"] <= before["approvers"]
