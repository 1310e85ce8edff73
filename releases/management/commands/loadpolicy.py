from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from portal.access import provisioning
from portal.access.models import Project
from portal.approvals.errors import Waiting
from portal.approvals.policies.loading import Loaded
from portal.lib.commands import ManageCommand, failure
from portal.lib.errors import AviaryError
from portal.lib.journal import Intent
from releases.catalogue.loading import LoadTarget, load_blocks, read_blocks
from releases.catalogue.models import Service


class Command(ManageCommand):
    help = (
        "Load the blocks of the deployment guide that a YAML or Markdown file has: who may deploy "
        "and who has to approve, what takes releases back, which strategy suits. All of it or "
        "nothing; what the file does not mention stays as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--project", help="its key; may be left out where there is only one")
        parser.add_argument("--service", help="which service rollback_config is for")
        parser.add_argument("--environment", help="where rollback_config is for")
        parser.add_argument(
            "--as", dest="person", metavar="USER", help="who asks where others have to approve it"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run, project = options["dry_run"], _project(options["project"])
        try:
            loaded, waiting = load_blocks(
                project=project,
                blocks=read_blocks(
                    _text(options["file"]), is_markdown=options["file"].suffix == ".md"
                ),
                place=_place(project, options["service"], options["environment"]),
                intent=Intent(provisioning.operator_for("loadpolicy", options["person"])),
                dry_run=dry_run,
            )
        except AviaryError as error:
            raise failure(error) from None
        for warning in dict.fromkeys(loaded.warnings):
            self.stderr.write(f"warning: {warning}")
        if loaded.waiting:
            raise CommandError(_waits(loaded, dry_run=dry_run))
        self._say(loaded, waiting, dry_run=dry_run)

    def _say(self, loaded: Loaded, waiting: Waiting | None, *, dry_run: bool) -> None:
        for change in loaded.changes:
            self.stdout.write(change)
        if not loaded.changes and not waiting:
            self.stdout.write("nothing changes: everything is as the file says")
        elif dry_run:
            self.stdout.write("nothing was written: this was a dry run")
        if waiting:
            where = "" if dry_run else f": {waiting.address}"
            raise CommandError(f"rollback_config needs approval before it is loaded{where}")


def _place(project: Project, service: str | None, environment: str | None) -> LoadTarget | None:
    if not service and not environment:
        return None
    if not service or not environment:
        raise CommandError("say both, or neither: --service and --environment")
    services = Service.objects.select_related("project")
    found = services.filter(project=project, key=service).first()
    if found is None:
        raise CommandError(f"{project.key} has no service {service}")
    place = project.environments.filter(key=environment).first()
    if place is None:
        raise CommandError(f"{project.key} has no environment {environment}")
    return LoadTarget(found, place)


def _waits(loaded: Loaded, *, dry_run: bool) -> str:
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
