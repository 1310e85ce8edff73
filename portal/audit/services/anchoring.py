"""Noting the chain's head outside the database: in a file, in the log, and at a web address."""

import logging
import threading
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection

from portal.audit import anchors
from portal.audit.anchors import Anchor
from portal.audit.models import ChainHead
from portal.lib import clock, outbound

logger = logging.getLogger("aviary.audit")
# How long every anchor is kept; of older ones, one an hour.
KEPT_WHOLE = timedelta(days=30)
_DAY = len("2026-03-01")


def anchor_head(*, now: datetime) -> Anchor | None:
    """Anchor the chain's head; returns the anchor, or None where nothing is new.

    Raises OSError when the file cannot be written.
    """
    path = Path(settings.AUDIT_ANCHOR_FILE)
    with anchors.opened(path, settings.AUDIT_KEY) as file:
        # Read while we hold the file, so that anchors are written in the chain's order.
        head = ChainHead.objects.filter(pk=1, sequence__gt=0).first()
        last = file.last()
        if head is None or (last and last.names(head.sequence, head.hash)):
            return None
        anchor = Anchor.taken(head.sequence, head.hash, now=now)
        _complain_of_a_step_back(last, anchor)
        file.append(anchor)
        logger.info("anchor %s", anchor.line(settings.AUDIT_KEY).decode())
    if last and last.at[:_DAY] != anchor.at[:_DAY]:
        anchors.thin(path, settings.AUDIT_KEY, before=now - KEPT_WHOLE)
    return anchor


def send_anchor(*, now: datetime) -> None:
    """Anchor the head and send the newest anchor to the web address, where there is one.

    An anchor that the address did not take is offered again the next time. Raises OSError when the
    file cannot be written.
    """
    anchor_head(now=now)
    if not settings.AUDIT_ANCHOR_WEBHOOK:
        return
    path = Path(settings.AUDIT_ANCHOR_FILE)
    with anchors.opened(path, settings.AUDIT_KEY) as file:
        newest = file.last()
    if newest:
        _offer(newest, path.with_name(f"{path.name}.sent"))


def keep_anchoring(stop: threading.Event) -> None:
    """Anchor the head at every interval until told to stop. It needs neither Redis nor Celery.

    Troubles are logged when they begin and when they end.
    """
    trouble = ""
    while not stop.wait(settings.AUDIT_ANCHOR_INTERVAL_S):
        found = ""
        try:
            anchor_head(now=clock.now())
        except OSError as error:
            found = f"cannot write the anchors: {error}"
        except DatabaseError as error:
            close_old_connections()
            found = f"the database does not answer ({type(error).__name__})"
        if found != trouble:
            logger.warning("anchors: %s", found or "written again")
        trouble = found
    connection.close()


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
            networks=(
                outbound.EVERYWHERE
                if settings.AUDIT_ANCHOR_WEBHOOK_PRIVATE
                else settings.OUTBOUND_NETWORKS
            ),
        )
    except outbound.OutboundError as error:
        logger.error("the anchor was not sent: %s", error)
    else:
        receipt.write_bytes(line)
