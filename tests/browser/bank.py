"""A project where people have to agree, with a request in every state; filled from inside.

Dora develops, Emil is a senior developer, Fritz leads DevOps, Otto is on call, Vera looks on.
Anton manages the project and made Lotta, who leads DevOps too.
"""

from datetime import timedelta
from typing import Any

from portal.lib.journal import Intent

PROJECT = "bank"
PASSWORD = "a-sparrow-in-may"
PEOPLE = {
    "dora": "developer",
    "emil": "senior_developer",
    "fritz": "devops_lead",
    "otto": "on_call_engineer",
    "vera": "viewer",
    "anton": "project_admin",
}
CHANGES = f"/p/{PROJECT}/changes/"
POLICY = f"/p/{PROJECT}/policy/production"
WANTS = {
    "required_approvals": 2,
    "required_roles": ["senior_developer", "devops_lead"],
    "evidence": {"security_scan": "all", "performance_test": "artefacts"},
    "break_glass": ["on_call_engineer"],
}


class Bank:
    """What fills it, inside a Django of its own."""

    def __init__(self) -> None:
        from portal.access.models import Project
        from portal.lib import clock, journal

        self.now, self.operator = clock.now(), journal.system("tests")
        self.project = Project.objects.filter(key=PROJECT).first() or self._found()
        self.production = self.project.environments.get(key="production")
        self.actors = {name: self._hire(name, role) for name, role in PEOPLE.items()}

    def _found(self) -> Any:
        from portal.access import services

        return services.create_project(
            key=PROJECT, name="Bank", intent=Intent(self.operator, at=self.now)
        )

    def _hire(self, name: str, role: str) -> Any:
        from portal.access import authority, services
        from portal.access.models import User
        from portal.lib.journal import Trace

        known = User.objects.filter(username=name).first()
        if known:
            return authority.user_actor(known, Trace())
        user = services.create_user(username=name, password=PASSWORD, intent=Intent(self.operator))
        services.grant_role(
            project=self.project,
            to=user,
            role=role,
            environment=None,
            intent=Intent(self.operator, at=self.now),
        )
        return authority.user_actor(user, Trace())

    def create_flag(self, key: str, *, introduced: bool = True) -> Any:
        """A flag, as if it had been there before the policy, or one that came after it."""
        from flags.core import definitions

        variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
        document = {"key": key, "kind": "release", "value_type": "boolean", "variants": variants}
        name = key.replace("-", " ").capitalize()
        flag = definitions.create_flag(
            project=self.project,
            document=document | {"name": name},
            intent=Intent(self.operator, at=self.now),
        )
        if introduced:
            flag.configurations.update(introduced=True)
        return flag

    def guard(self) -> None:
        from portal.approvals.policies import services as policy_services

        policy_services.set_policy(
            environment=self.production, document=WANTS, intent=Intent(self.operator, at=self.now)
        )

    def ask(self, key: str, who: str = "dora", **options: Any) -> Any:
        """Ask for a flag to be turned on in production; the request that it waits as."""
        from flags.core import configurations
        from portal.approvals.errors import Waiting
        from portal.approvals.models import ChangeRequest
        from portal.lib.journal import WriteOptions

        try:
            configurations.set_enabled(
                flag=self.create_flag(key),
                environment=self.production,
                enabled=True,
                intent=Intent(
                    self.actors[who],
                    reason="The autumn campaign",
                    options=WriteOptions(**options),
                    at=self.now,
                ),
            )
        except Waiting as waiting:
            return waiting.request
        return ChangeRequest.objects.get(subject=key)

    def ask_against_others(self, key: str) -> None:
        """Ask for a flag to be on and serve “off”, while others change what it serves."""
        from flags.core import configurations
        from flags.models import FlagConfiguration
        from portal.approvals.errors import Waiting

        flag = self.create_flag(key)
        row = FlagConfiguration.objects.get(flag=flag, environment=self.production)
        try:
            configurations.save_configuration(
                flag=flag,
                environment=self.production,
                expected_version=row.version,
                document=row.document | {"enabled": True, "fallthrough": {"variant": "off"}},
                intent=Intent(self.actors["dora"], at=self.now),
            )
        except Waiting:
            shares = [{"variant": "on", "weight": 1000}, {"variant": "off", "weight": 99_000}]
            row.targeting |= {"fallthrough": {"split": shares}, "off_variant": "on"}
            row.version += 1
            row.save()

    def vote(self, request: Any, who: str, verdict: str = "approve") -> None:
        from portal.approvals import services

        services.cast_vote(
            request=request,
            verdict=verdict,
            seen_digest=request.digest,
            comment="Looks at it twice",
            intent=Intent(self.actors[who], at=self.now),
        )


def _two_people(bank: Bank) -> None:
    """An approval that does not count, a request that nobody answers for, a key to confirm."""
    from portal.access import authority, services
    from portal.lib.journal import Trace

    anton = bank.actors["anton"]
    lotta = services.add_member(
        project=bank.project,
        username="lotta",
        role="devops_lead",
        intent=Intent(anton, at=bank.now),
    ).user
    bank.actors |= {"lotta": authority.user_actor(lotta, Trace()), "command": bank.operator}
    bank.vote(bank.ask("strong-room", "anton"), "lotta")
    bank.ask("petty-cash", "command")
    services.issue_key(
        environment=bank.production,
        kind="admin",
        name="Scanner",
        evidence=["security_scan"],
        intent=Intent(anton, at=bank.now),
    )


def _cohorts(bank: Bank) -> None:
    """A segment with users in both lists, and a group with a flag, free room and a holdout."""
    from flags.exclusion_groups import services as group_services
    from flags.segments import services as segment_services

    common: dict[str, Any] = {"intent": Intent(bank.operator, at=bank.now), "project": bank.project}
    slots = [{"flag": "vault-door", "from": 0, "to": 25}]
    users = {"included": ["alice", "bob"], "excluded": ["eve"]}
    segment_services.create_segment(
        document={"key": "testers", "name": "Testers", **users}, **common
    )
    group = {"key": "experiments", "slots": slots, "holdout": 10}
    group_services.create_group(document=group, **common)


def fill() -> None:
    """Make all of it."""
    from portal.approvals import services
    from portal.approvals.models import Emergency

    bank = Bank()
    bank.guard()
    bank.vote(bank.ask("vault-door"), "emil")
    _cohorts(bank)
    _two_people(bank)
    bank.create_flag("coin-counter", introduced=False)
    bank.ask("teller-window")
    bank.vote(bank.ask("night-safe"), "emil", "reject")
    drifted = bank.ask("cash-machine")
    type(drifted).objects.filter(pk=drifted.pk).update(base_version="0")
    services.comment_on_request(
        request=drifted, text="Is it still wanted?", intent=Intent(bank.actors["vera"], at=bank.now)
    )
    bank.ask_against_others("deposit-box")
    bank.ask("alarm", "otto", break_glass=True)
    done = bank.ask("sprinkler", "otto", break_glass=True)
    services.revert_emergency(
        emergency=done.emergency, intent=Intent(bank.actors["otto"], at=bank.now)
    )
    Emergency.objects.filter(pk=done.emergency.pk).update(at=bank.now - timedelta(days=3))


def ask_again(keys: list[str], against_others: str) -> None:
    """More requests, each for a flag of its own, and one for a flag that others changed."""
    bank = Bank()
    for key in keys:
        bank.ask(key)
    bank.ask_against_others(against_others)
