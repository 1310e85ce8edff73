from typing import Any

from django.core.management.base import CommandParser

from portal.access import provisioning, services
from portal.access.models import KeyKind
from portal.access.permissions import ADDITIONAL_RIGHTS, TELEMETRY
from portal.lib import clock
from portal.lib.commands import ManageCommand, failure, operator
from portal.lib.errors import AviaryError
from portal.lib.journal import Intent


class Command(ManageCommand):
    help = "Create an API key and print its token, which is shown only now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True)
        parser.add_argument("--environment", required=True)
        parser.add_argument("--kind", required=True, choices=KeyKind.values)
        parser.add_argument(
            "--right",
            action="append",
            default=[],
            choices=[*map(str, ADDITIONAL_RIGHTS), TELEMETRY],
            help="What an admin key may do on top; may be said several times. Of a client key: "
            "telemetry, which then decides about releases.",
        )
        parser.add_argument(
            "--evidence",
            action="append",
            default=[],
            metavar="KIND",
            help="A kind of evidence that an admin key may post; may be said several times.",
        )
        parser.add_argument(
            "--owner",
            metavar="USER",
            help="Who answers for the key: the author of what is asked with it, who cannot approve "
            "that. The key may do what they may.",
        )
        parser.add_argument(
            "--origin",
            action="append",
            default=[],
            help="A web page's origin that may use a client key, such as https://shop.example;"
            " may be said several times.",
        )
        parser.add_argument("--name", default="Made by createkey")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, now = operator("createkey"), clock.now()
        try:
            environment = provisioning.ensure_environment(
                project_key=options["project"],
                environment_key=options["environment"],
                intent=Intent(actor, at=now),
                tell=self.stderr.write,
            )
            issued = services.issue_key(
                environment=environment,
                kind=options["kind"],
                name=options["name"],
                rights=options["right"],
                evidence=options["evidence"],
                owner=provisioning.find_person(options["owner"]),
                allowed_origins=options["origin"],
                intent=Intent(actor, at=now),
            )
        except AviaryError as error:
            raise failure(error) from None
        self.stdout.write(str(issued.token))
