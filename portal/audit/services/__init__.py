"""Everything that writes to the audit trail: adding, anchoring, and purging what is too old."""

from portal.audit.services.anchoring import anchor_head, keep_anchoring, send_anchor
from portal.audit.services.purging import NothingMayGo, TrailBroken, purge
from portal.audit.services.recording import OutsideTransaction, record, record_all

__all__ = [
    "NothingMayGo",
    "OutsideTransaction",
    "TrailBroken",
    "anchor_head",
    "keep_anchoring",
    "purge",
    "record",
    "record_all",
    "send_anchor",
]
