"""Deployers: who puts an artefact where it is to run, and stops what ran there.

Routers say who gets a version; deployers say where there is one. A service names its deployer in
its setup: a webhook, or a person. Where it names none, whoever builds it puts it there beforehand.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done: ``deploy`` an artefact, ``retire`` what runs, or ``restore`` what ran
    before, where nobody knows which artefact that was.

    ``place`` is what the router calls where, and ``instances`` which of them; either may be empty.
    ``artefact`` has version, digest, kind and commit.
    """

    action: str
    place: str = ""
    instances: tuple[str, ...] = ()
    artefact: dict[str, Any] | None = None

    @property
    def document(self) -> dict[str, Any]:
        return {
            "order": self.action,
            "place": self.place,
            "instances": list(self.instances),
            "artefact": self.artefact,
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """How far that is. ``failed`` says why it never will be done, ``away`` why nobody answers,
    ``waits`` for what it waits, and ``detail`` how far it is, for people."""

    is_done: bool = False
    failed: str = ""
    away: str = ""
    waits: str = ""
    detail: str = ""
