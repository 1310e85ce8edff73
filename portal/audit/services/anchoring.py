"""Noting the chain's head outside the database: in a file, in the log, and at a web address."""

import logging
from datetime import datetime
from pathlib import Path

from django.conf import settings

from portal.audit import anchors
from portal.audit.anchors import Anchor
from portal.audit.models import ChainHead
from portal.lib import outbound

logger = logging.getLogger("aviary.audit")


def anchor_head(*, now: datetime, send: bool = True) -> Anchor | None:
    """Anchor the chain's head; returns the anchor, or None where nothing is new.

    An anchor that the web address did not take is offered again the next time; ``send=False``
    leaves that to the next time at once. Raises OSError when the file cannot be written.
    """
    path = Path(settings.AUDIT_ANCHOR_FILE)
    with anchors.opened(path, settings.AUDIT_KEY) as file:
        # Read while we hold the file, so that anchors are written in the chain's order.
        head = ChainHead.objects.filter(pk=1, sequence__gt=0).first()
        last = file.last()
        if head is None or (last and last.names(head.sequence, head.hash)):
            anchor = None
        else:
            anchor = Anchor.taken(head.sequence, head.hash, now=now)
            _complain_of_a_step_back(last, anchor)
            file.append(anchor)
            logger.info("anchor %s", anchor.line(settings.AUDIT_KEY).decode())
        newest = anchor or last
        if send and newest and settings.AUDIT_ANCHOR_WEBHOOK:
            _offer(newest, path.with_name(f"{path.name}.sent"))
    return anchor


def _complain_of_a_step_back(last: Anchor | None, anchor: Anchor) -> None:
    if last and anchor.sequence <= last.sequence:
        logger.error(
            "the audit trail went back from row %d to row %d; run manage.py verifyaudit",
            last.sequence,
            anchor.sequence,
        )


def _offer(anchor: Anchor, receipt: Path) -> None:
    """Send the anchor unless the address has taken it already."""
    line = anchor.line(settings.AUDIT_KEY)
    if receipt.exists() and receipt.read_bytes() == line:
        return
    try:
        outbound.post(
            settings.AUDIT_ANCHOR_WEBHOOK,
            line,
            content_type="application/json",
            allow_private=settings.AUDIT_ANCHOR_WEBHOOK_PRIVATE,
        )
    except outbound.OutboundError as error:
        logger.error("the anchor was not sent: %s", error)
    else:
        receipt.write_bytes(line)
