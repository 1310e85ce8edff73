from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from portal.access.permissions import EVERYTHING
from portal.access.web.scope import Scope
from releases.core.command_rules import COMMANDS, Command, why_not
from releases.core.models import Release


@dataclass(frozen=True, slots=True)
class Looks:
    """How a command reads. ``raises`` where more users may get the new version by it; ``picks``
    what is chosen in its dialog."""

    says: Promise
    css: str = ""
    raises: bool = False
    picks: str = ""


LOOKS: Final = {
    "start": Looks(
        gettext_lazy("The first step begins at once."),
        "btn-success",
        raises=True,
        picks="supersede",
    ),
    "confirm": Looks(
        gettext_lazy("You have moved the traffic by hand, and it is as the release wants it."),
        "btn-success",
    ),
    "pause": Looks(
        gettext_lazy(
            "Its traffic stays, its checks go on, and a failing guardrail still rolls back."
        ),
    ),
    "resume": Looks(
        gettext_lazy("It goes on where it stopped, with the time that was left of its step."),
        "btn-primary",
    ),
    "promote": Looks(
        gettext_lazy("It leaves this step now, and goes on to the next."),
        "btn-primary",
        raises=True,
    ),
    "promote_fully": Looks(
        gettext_lazy("Everybody gets the new version at once, without the steps that are left."),
        raises=True,
    ),
    "dismiss": Looks(
        gettext_lazy("This one failure does not count; the next failure of the check does again."),
        picks="check",
    ),
    "retry": Looks(gettext_lazy("Its step starts again, and everything is measured again.")),
    "jump_back": Looks(
        gettext_lazy("Its traffic falls to the share of an earlier step, and goes on from there."),
        picks="step",
    ),
    "drop_cohort": Looks(
        gettext_lazy("One cohort gets the stable version again; the others, and the share, stay."),
        picks="cohort",
    ),
    "abort": Looks(
        gettext_lazy("It ends for good, and everybody gets the stable version again."),
    ),
    "rollback": Looks(
        gettext_lazy(
            "Everybody gets the stable version again. No approval, gate or freeze stops it."
        ),
        "btn-danger",
    ),
    "undo": Looks(
        gettext_lazy(
            "The version before is released to everybody at once. The watch is over, so this is a "
            "release of its own, and is asked about like any other. Scripts cannot release the "
            "present version here again until a person has."
        ),
        "btn-danger",
        raises=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Button:
    """A command as the reader finds it; ``why_not`` is empty where they may press it now, and
    ``is_possible`` says whether others could."""

    command: Command
    looks: Looks
    why_not: str
    is_possible: bool


def button_of(scope: Scope, release: Release, name: str, now: datetime) -> Button:
    may = scope.assignments.in_environment(release.environment_id)
    is_possible = not why_not(release, name, EVERYTHING, now)
    return Button(COMMANDS[name], LOOKS[name], why_not(release, name, may, now), is_possible)


def buttons_of(scope: Scope, release: Release, now: datetime) -> list[Button]:
    found = [button_of(scope, release, name, now) for name in COMMANDS]
    return sorted(
        found, key=lambda button: (bool(button.why_not), button.command.name != "rollback")
    )
