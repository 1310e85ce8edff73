"""``manage.py importflags``: flags from a file of this or another product."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from flags.transfer import importers
from flags.transfer.importers.text import read_text
from flags.transfer.importing import service, target
from portal.access import provisioning
from portal.access.models import Environment
from portal.approvals.errors import Waiting
from portal.lib.commands import ManageCommand, failure
from portal.lib.errors import AviaryError
from portal.lib.journal import Intent


class Command(ManageCommand):
    help = (
        "Import flags into one environment. Mode 'replace' also turns off, in this environment, "
        "the flags that the file does not have. Segments and exclusion groups of the file are the "
        "project's: they are created or changed for every environment. A missing project or "
        "environment is created."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", required=True, help=", ".join(importers.FORMATS))
        parser.add_argument("--project", required=True)
        parser.add_argument("--environment", required=True)
        parser.add_argument("--mode", choices=service.MODES, default="merge")
        parser.add_argument(
            "--bucketing",
            choices=importers.BUCKETINGS,
            help="the generation of flagd whose users keep their variants",
        )
        parser.add_argument("--dry-run", action="store_true", help="report only, change nothing")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument(
            "--as", dest="person", metavar="USER", help="who asks where others have to approve it"
        )
        parser.add_argument("file", metavar="FILE", help="'-' reads standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            document = read_text(_read(options["file"]), name=options["file"])
            report = self._import(document, options)
        except importers.FileRefused as error:
            raise CommandError(f"{options['file']}: {error}") from None
        except AviaryError as error:
            raise failure(error) from None
        self.stdout.write(
            json.dumps(report.document, indent=2) if options["json"] else describe(report)
        )

    def _import(self, document: object, options: dict[str, Any]) -> target.ImportReport:
        plan = importers.plan_import(
            options["format"],
            document,
            environment=options["environment"],
            bucketing=options["bucketing"],
        )
        environment = provisioning.find_environment(options["project"], options["environment"])
        if environment is None:
            report = self._import_into_new(plan, options)
            if isinstance(report, Waiting):
                raise report
            return report
        return _import_into(environment, plan, options)

    @transaction.atomic
    def _import_into_new(
        self, plan: importers.ImportPlan, options: dict[str, Any]
    ) -> target.ImportReport | Waiting:
        """All or nothing, the project and environment that it needs included."""
        suffix = "; taken back, this is a dry run" if options["dry_run"] else ""
        environment = provisioning.ensure_environment(
            project_key=options["project"],
            environment_key=options["environment"],
            intent=Intent(provisioning.operator_for("importflags", options["person"])),
            tell=lambda text: self.stderr.write(text + suffix),
        )
        try:
            report = _import_into(environment, plan, options)
        except Waiting as waiting:  # what waits is about the new environment, so that stays
            return waiting
        transaction.set_rollback(options["dry_run"])
        return report


def _import_into(
    environment: Environment, plan: importers.ImportPlan, options: dict[str, Any]
) -> target.ImportReport:
    return service.import_flags(
        environment=environment,
        plan=plan,
        mode=options["mode"],
        dry_run=options["dry_run"],
        intent=Intent(provisioning.operator_for("importflags", options["person"])),
    )


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {name}: {error.strerror}") from None


def describe(report: target.ImportReport) -> str:
    """The report for people: what happened, how often, and every reason."""
    counts = {
        "created": report.created,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "turned off": report.disabled,
    }
    if report.introduced:
        counts["introduced"] = report.introduced
    lines = ["Dry run: nothing was changed. It would be:"] if report.dry_run else []
    lines += [f"{name}: {len(keys)}{_names(keys)}" for name, keys in counts.items()]
    lines.append(f"skipped: {len(report.skipped)}")
    lines += [f"  {ascii(s.flag)[1:-1]}: {s.reason}" for s in report.skipped]
    for kind, cohorts in (("segments", report.segments), ("groups", report.groups)):
        lines += _describe_cohorts(kind, cohorts)
    lines += [f"note: {note}" for note in report.notes]
    lines.append(f"version: {report.version}")
    return "\n".join(lines)


def _describe_cohorts(kind: str, report: target.DependencyReport) -> list[str]:
    """What became of the file's segments or groups; nothing where it has none."""
    counts = {
        "created": report.created,
        "changed": report.changed,
        "unchanged": report.unchanged,
    }
    lines = [f"{kind} {name}: {len(keys)}{_names(keys)}" for name, keys in counts.items() if keys]
    if report.skipped:
        lines.append(f"{kind} skipped: {len(report.skipped)}")
    return lines + [f"  {ascii(one.key)[1:-1]}: {one.reason}" for one in report.skipped]


def _names(keys: list[str], most: int = 20) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return f" ({', '.join(keys[:most])}{more})"
