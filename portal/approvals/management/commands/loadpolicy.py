"""``manage.py loadpolicy FILE``: who may deploy where and who has to agree, from a file."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from portal.access import provisioning
from portal.access.models import Project
from portal.approvals import policy_file
from portal.approvals.services import loading
from portal.lib.commands import ManageCommand, failure
from portal.lib.errors import AviaryError
from portal.lib.journal import Intent


class Command(ManageCommand):
    help = (
        "Load the deployment permissions and approval requirements of a YAML file: all of it or "
        "nothing. What the file does not mention stays as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--project", help="its key; may be left out where there is only one")
        parser.add_argument(
            "--as", dest="person", metavar="USER", help="who asks where others have to approve it"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run = options["dry_run"]
        try:
            loaded = loading.load_policies(
                project=_project(options["project"]),
                file=policy_file.parse(_text(options["file"])),
                intent=Intent(provisioning.operator_for("loadpolicy", options["person"])),
                dry_run=dry_run,
            )
        except AviaryError as error:
            raise failure(error) from None
        for warning in dict.fromkeys(loaded.warnings):
            self.stderr.write(f"warning: {warning}")
        if loaded.waiting:
            raise CommandError(_waits(loaded, dry_run=dry_run))
        for change in loaded.changes:
            self.stdout.write(change)
        if not loaded.changes:
            self.stdout.write("nothing changes: everything is as the file says")
        elif dry_run:
            self.stdout.write("nothing was written: this was a dry run")


def _waits(loaded: loading.Loaded, *, dry_run: bool) -> str:
    if dry_run:
        return "this lowers a policy: the old one would have to approve it first"
    addresses = ", ".join(one.address for one in loaded.waiting)
    return (
        "nothing was loaded: this lowers a policy, which the old one has to approve first; "
        f"load the file again once it is: {addresses}"
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CommandError(f"cannot read {path}: {reason}") from None


def _project(key: str | None) -> Project:
    projects = list(Project.objects.filter(key=key) if key else Project.objects.all()[:2])
    if len(projects) == 1:
        return projects[0]
    if key:
        raise CommandError(f"there is no project {key}")
    raise CommandError("say which project with --project" if projects else "there is no project")
