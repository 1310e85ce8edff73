"""haproxy's runtime API: one command to a connection, one answer, 5 seconds for a whole exchange.

A command that sets something is accepted by an empty answer; any other text refuses it. An answer
ends with an empty line, so one that was cut is told from one that is whole.
"""

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

TIMEOUT_S: Final = 5.0
MOST_BYTES: Final = 4 * 1024 * 1024
_GREETING: Final = "Name: HAProxy\n"
_DENIED: Final = "Permission denied"
# What ends a command, or makes two of one.
_ENDS: Final = frozenset(";\n\r\\<")


class HaproxyError(Exception):
    """A haproxy did not do what it was told, or did not say what is so; the sentence names it."""


class UnknownHaproxy(HaproxyError):
    """The site lists none of this name."""


class NotReached(HaproxyError):
    """Nothing listens there, or it takes too long."""


class NotHaproxy(HaproxyError):
    """What answers there is no haproxy's runtime API, or says what that never does."""


class CutShort(HaproxyError):
    """The answer ends before its end: nothing is known of what was done."""


class CommandRefused(HaproxyError):
    """haproxy says that it does not do that, and why."""


class NotPermitted(CommandRefused):
    """The socket is not of level admin."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a release keeps of one haproxy: what that said ``before`` the release, what it is
    ``known`` to say by itself after a reload, and, as of the ``process`` that took it, what it was
    told ``last``."""

    before: str = ""
    known: tuple[str, ...] = ()
    process: str = ""
    last: str = ""


@dataclass(slots=True)
class Haproxy:
    """One of the site's haproxys, and until when it may be talked to (of ``time.monotonic``).

    No command is sent later than that: a worker that was stopped meanwhile, and whose release
    another has taken over, sets nothing any more.
    """

    name: str
    until: float = field(default_factory=lambda: time.monotonic() + TIMEOUT_S)

    def started(self) -> str:
        """Which process answers: another one after a reload, which forgets what it was told.

        Raises NotHaproxy where that is none."""
        text = self._exchange("show info", greeting=_GREETING)
        said = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        if "Pid" not in said:
            raise self.wrong("show info")
        return f"{said['Pid']}@{said.get('Start_time_sec', '')}"

    def read(self, command: str) -> str:
        """What it says, without the empty line at its end. Raises HaproxyError."""
        text = self._exchange(command)
        if text.strip() == _DENIED:
            raise self._denied()
        return text[:-1]

    def tell(self, command: str) -> None:
        """Have something done. Raises CommandRefused with what it says against that."""
        said = self._exchange(command).strip()
        if said == _DENIED:
            raise self._denied()
        if said:
            text = _("{name} refused “{command}”: {said}")
            raise CommandRefused(text.format(name=self.name, command=command, said=said[:200]))

    def _exchange(self, command: str, greeting: str = "") -> str:
        """The whole answer, with the empty line at its end."""
        if _ENDS & set(command) or not command.isprintable():
            raise ValueError("this is more than one command")
        body = self._send(command.encode() + b"\n")
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise self.wrong(command) from None
        if not text.startswith(greeting) and not greeting.startswith(text):
            raise self.wrong(command)
        if text != "\n" and not text.endswith("\n\n"):
            raise CutShort(_("The answer of {name} was cut short.").format(name=self.name))
        return text

    def _send(self, line: bytes) -> bytes:
        try:
            with _connect(address_of(self.name), self._left()) as connected:
                connected.settimeout(self._left())
                connected.sendall(line)
                return self._received(connected)
        except OSError as error:
            why = _("took too long") if isinstance(error, TimeoutError) else error.strerror or ""
            text = _("{name} cannot be reached ({why}).")
            raise NotReached(text.format(name=self.name, why=why or type(error).__name__)) from None

    def _received(self, connected: socket.socket) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            connected.settimeout(self._left())
            part = connected.recv(65_536)
            if not part:
                return b"".join(parts)
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:
                text = _("{name} says more than {most} MiB.")
                raise NotHaproxy(text.format(name=self.name, most=MOST_BYTES >> 20))

    def _left(self) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def wrong(self, command: str) -> NotHaproxy:
        text = _("{name} does not answer “{command}” as haproxy does.")
        return NotHaproxy(text.format(name=self.name, command=command))

    def _denied(self) -> NotPermitted:
        text = _("{name} permits no changes: give its stats socket “level admin”.")
        return NotPermitted(text.format(name=self.name))


def address_of(name: str) -> str:
    listed: Mapping[str, str] = settings.HAPROXY
    if name not in listed:
        text = _("The setting AVIARY_HAPROXY names no haproxy {name}.")
        raise UnknownHaproxy(text.format(name=name))
    return listed[name]


def _connect(address: str, timeout_s: float) -> socket.socket:
    if not address.startswith("/"):
        host, _colon, port = address.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout_s)
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.settimeout(timeout_s)
        connected.connect(address)
    except OSError:
        connected.close()
        raise
    return connected
