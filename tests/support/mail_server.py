"""A real mail server on loopback, which keeps what it is given."""

from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Handler

from tests.support.ports import free_port


class Inbox(Handler):
    """All that arrived; addresses in ``refused`` are not known here."""

    def __init__(self) -> None:
        super().__init__()
        self.letters: list[Message] = []
        self.refused: set[str] = set()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: object, session: object, envelope: object, address: str, options: object
    ) -> str:
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)  # type: ignore[attr-defined]
        return "250 OK"

    def handle_message(self, message: Message) -> None:
        self.letters.append(message)


@contextmanager
def mail_server() -> Iterator[tuple[Inbox, int]]:
    """Yields the inbox and the port."""
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield inbox, controller.port
    finally:
        controller.stop()
