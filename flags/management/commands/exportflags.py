"""``manage.py exportflags``: flags into a file of this or another product."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from flags.transfer import exports
from flags.transfer.exporters.base import SYNTAXES
from portal.access.models import Project
from portal.lib.commands import ManageCommand


class Command(ManageCommand):
    help = (
        "Print flags: of a whole project, or of one environment. Flags that the format cannot "
        "hold exactly are left out, and named on standard error with the reason."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=exports.FORMATS, default="native")
        parser.add_argument("--project", required=True)
        parser.add_argument("--environment", help="without it all of them; flagd needs one")
        syntax = parser.add_mutually_exclusive_group()
        for name in SYNTAXES:
            syntax.add_argument(f"--{name}", dest="syntax", action="store_const", const=name)

    def handle(self, *args: Any, **options: Any) -> None:
        export = _export(options["project"], options["environment"], options["format"])
        self.stdout.write(SYNTAXES[options["syntax"] or "json"](export.document), ending="")
        for note in export.notes:
            self.stderr.write(f"note: {note}")
        for one in export.left_out:
            self.stderr.write(f"left out: {ascii(one.flag)[1:-1]}: {one.reason}")


def _export(project_key: str, environment_key: str | None, format_name: str) -> exports.Export:
    """Raises CommandError with one sentence about what there is not."""
    project = Project.objects.filter(key=project_key).first()
    if project is None:
        raise CommandError(f"there is no project {project_key!a}")
    if environment_key is None:
        if format_name != "native":
            raise CommandError(f"a file of {format_name} is of one environment: name it")
        return exports.export_project(project)
    environment = project.environments.filter(key=environment_key).first()
    if environment is None:
        raise CommandError(f"the project has no environment {environment_key!a}")
    return exports.export_environment(environment, format_name=format_name)
