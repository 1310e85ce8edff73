from typing import Any

from django.core.management.base import CommandError, CommandParser

from portal.access import services
from portal.access.models import Environment
from portal.lib.commands import ManageCommand, operator
from portal.lib.journal import Intent


class Command(ManageCommand):
    help = (
        "Start a new epoch in every environment, after a restore: evaluators then reload all flags "
        "and keys. Aviary notices a restore by itself wherever Redis or an evaluator shows it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", help="Only the environments of this project.")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = Environment.objects.select_related("project").order_by("project__key", "position")
        if options["project"]:
            chosen = chosen.filter(project__key=options["project"])
            if not chosen:
                raise CommandError(f"there is no environment in a project {options['project']}")
        for environment in chosen:
            services.renew_epoch(
                environment_id=environment.pk,
                seen_epoch=environment.epoch,
                intent=Intent(
                    operator("renewepochs"),
                    reason="an operator said that the database was restored",
                ),
            )
            self.stdout.write(f"{environment}: new epoch; evaluators reload it")
