"""``manage.py verifyaudit``: exit 0 when the audit trail's chain holds, 1 where it does not."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from portal.audit import anchors, selectors, states
from portal.audit.anchors import KnownAnchors
from portal.audit.models import AuditEvent
from portal.lib.commands import ManageCommand

_MOST_DRIFTS = 100


class Command(ManageCommand):
    help = (
        "Check every link of the audit trail, and that everything is what its last row says; "
        "names the first row that does not hold, and what was changed past the product."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchors",
            type=Path,
            metavar="FILE",
            help="anchors that the chain must pass through (default: AUDIT_ANCHOR_FILE, if there)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path, known = _known(options["anchors"])
        for complaint in known.complaints:
            self.stderr.write(f"{path} {complaint}")
        self._add_elsewhere(known)
        fault = selectors.chain_fault(known.hashes)
        if fault:
            self.stderr.write(f"row {fault.sequence}: {fault.problem}")
        drifts = [] if fault else states.find_drifts()
        for drift in drifts[:_MOST_DRIFTS]:
            self.stderr.write(str(drift))
        if len(drifts) > _MOST_DRIFTS:
            self.stderr.write(f"and {len(drifts) - _MOST_DRIFTS} more")
        if fault or known.complaints or drifts:
            sys.exit(1)
        self.stdout.write(f"the chain holds: {_extent(known)}")

    def _add_elsewhere(self, known: KnownAnchors) -> None:
        """The file is believed first: a row that it names too is compared by its word."""
        for name, found in anchors.read_elsewhere():
            if isinstance(found, OSError):
                self.stdout.write(f"not compared with {name}: {found}")
            else:
                known.hashes = {**found, **known.hashes}


def _known(path: Path | None) -> tuple[Path, KnownAnchors]:
    chosen = path or Path(settings.AUDIT_ANCHOR_FILE)
    if path is None and not chosen.exists():
        return chosen, KnownAnchors()
    try:
        return chosen, anchors.read(chosen, settings.AUDIT_KEY)
    except OSError as error:
        raise CommandError(f"cannot read {chosen}: {error.strerror}", returncode=2) from None


def _extent(known: KnownAnchors) -> str:
    words = [f"{AuditEvent.objects.count()} rows"]
    purged = selectors.start_of_chain().sequence
    if purged:
        words.append(f"from row {purged + 1}, those before it were purged")
    if known.hashes:
        checked = sum(sequence >= purged for sequence in known.hashes)
        words.append(f"through {checked} of {len(known.hashes)} anchors")
    return ", ".join(words)
