"""Carrying out what was agreed to: each kind of change through the service that everybody uses."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from flags import impact, outcome_wording
from flags.clash_wording import clash_sentences, rule_names_in
from flags.engine import parse_definition
from flags.importers import ImportPlan
from flags.merging import CONFIGURATION, DEFINITION
from flags.models import Flag, FlagConfiguration
from flags.services import changes, cohort_kinds, configurations, definitions, importing
from flags.services.importing.asking import IMPORT
from flags.services.plans import kinds as plans
from portal.access.models import Environment
from portal.approvals import kinds
from portal.approvals.kinds import Impact, Merged, Outcome, Side
from portal.approvals.models import ChangeRequest
from portal.lib import merging
from portal.lib.errors import Conflict
from portal.lib.intent import Intent

Document = Mapping[str, Any]


def register_all() -> None:
    """Tell approvals who carries out the changes of flags."""
    kinds.register(changes.CONFIGURATION, ConfigurationKind())
    kinds.register(changes.DEFINITION, DefinitionKind())
    kinds.register(changes.ARCHIVING, ArchivingKind())
    kinds.register(IMPORT, ImportKind())
    plans.register_all()
    cohort_kinds.register_all()


class ConfigurationKind:
    """A flag in one environment."""

    def apply(
        self, request: ChangeRequest, *, document: Document, base_version: str, intent: Intent
    ) -> None:
        configurations.save_configuration(
            flag=flag_of(request),
            environment=request.environments.get(),
            document={"introduced": True, **document},
            expected_version=changes.version_of(base_version),
            intent=intent,
        )

    def current(self, request: ChangeRequest) -> Side:
        configuration = FlagConfiguration.objects.select_related("flag", "environment").get(
            flag=flag_of(request), environment=request.environments.get()
        )
        brought = configurations.asked_along(configuration, request.after)
        base = changes.base_of(configuration.version, brought)
        return Side(base, configuration.document)

    def address(self, request: ChangeRequest) -> str:
        environment = request.environments.get().key
        return reverse("flag-targeting", args=[request.project.key, environment, request.subject])

    def edit_address(self, request: ChangeRequest) -> str:
        return f"{self.address(request)}?request={request.pk}"

    def words(self, request: ChangeRequest, before: Document) -> list[str]:
        return changes.configuration_words(flag_of(request), before, request.after)

    def merge(
        self,
        request: ChangeRequest,
        *,
        base: Document,
        theirs: Document,
        mine: Document,
        prefer: merging.Side,
    ) -> Merged:
        merged = merging.merge(base, theirs, mine, parts=CONFIGURATION, prefer=prefer)
        definition = flag_of(request).definition
        names = rule_names_in(definition, base, theirs, mine) if merged.clashes else {}
        return Merged(merged.document, clash_sentences(merged.clashes, names))

    def outcomes(self, request: ChangeRequest) -> list[Outcome]:
        flag, environment = flag_of(request), request.environments.get()
        sides = (changes.who_gets_what(flag, one) for one in (request.before, request.after))
        return [Outcome(environment.name, *sides, environment=environment.key)]

    def impact(self, request: ChangeRequest, *, now: datetime) -> Impact:
        rows = FlagConfiguration.objects.select_related("flag", "environment__project")
        row = rows.get(flag=flag_of(request), environment=request.environments.get())
        return impact.of_configuration(row, request.after, now=now)


class DefinitionKind:
    """What a flag is, in every environment."""

    def apply(
        self, request: ChangeRequest, *, document: Document, base_version: str, intent: Intent
    ) -> None:
        definitions.edit_flag(
            flag=flag_of(request),
            document=document,
            expected_version=int(base_version),
            intent=intent,
        )

    def current(self, request: ChangeRequest) -> Side:
        flag = flag_of(request)
        return Side(str(flag.version), flag.document)

    def address(self, request: ChangeRequest) -> str:
        return reverse("flag-settings", args=[request.project.key, request.subject])

    def edit_address(self, request: ChangeRequest) -> str:
        return f"{self.address(request)}?request={request.pk}"

    def words(self, request: ChangeRequest, before: Document) -> list[str]:
        return changes.definition_words(before, request.after)

    def merge(
        self,
        request: ChangeRequest,
        *,
        base: Document,
        theirs: Document,
        mine: Document,
        prefer: merging.Side,
    ) -> Merged:
        merged = merging.merge(base, theirs, mine, parts=DEFINITION, prefer=prefer)
        return Merged(merged.document, clash_sentences(merged.clashes, {}))

    def fit(self, request: ChangeRequest, states: Sequence[Document]) -> Document:
        return definitions.first_possible(flag_of(request), states)

    def outcomes(self, request: ChangeRequest) -> list[Outcome]:
        """The values, and who gets which of them in each environment."""
        flag, sides = flag_of(request), (request.before, request.after)
        values = (outcome_wording.values(parse_definition(one)) for one in sides)
        found = [Outcome(_("The values"), *values)]
        for row in flag.configurations.select_related("environment"):
            row.flag = flag
            gets = changes.who_gets_what(flag, row.document)
            found.append(Outcome(row.environment.name, gets, gets, environment=row.environment.key))
        return found


class ArchivingKind:
    """Taking a flag out of use, and bringing it back."""

    def apply(
        self, request: ChangeRequest, *, document: Document, base_version: str, intent: Intent
    ) -> None:
        flag = flag_of(request)
        if str(flag.version) != base_version:
            raise Conflict(
                definitions.changed_meanwhile(), current=flag.document, yours=dict(document)
            )
        carry_out = definitions.archive_flag if document["archived"] else definitions.restore_flag
        carry_out(flag=flag, intent=intent)

    def current(self, request: ChangeRequest) -> Side:
        flag = flag_of(request)
        return Side(str(flag.version), {"archived": flag.is_archived})

    def address(self, request: ChangeRequest) -> str:
        return reverse("flag-settings", args=[request.project.key, request.subject])

    def edit_address(self, request: ChangeRequest) -> str:
        return ""

    def words(self, request: ChangeRequest, before: Document) -> list[str]:
        return list(request.words)

    def outcomes(self, request: ChangeRequest) -> list[Outcome]:
        flag, gone = flag_of(request), (_("Applications get “flag not found”."),)
        found = []
        for row in flag.configurations.select_related("environment"):
            gets = changes.who_gets_what(flag, row.document)
            sides = (gets, gone) if request.after["archived"] else (gone, gets)
            found.append(Outcome(row.environment.name, *sides, environment=row.environment.key))
        return found


class ImportKind:
    """Flags from a file."""

    def apply(
        self, request: ChangeRequest, *, document: Document, base_version: str, intent: Intent
    ) -> None:
        importing.import_flags(
            environment=_import_place(request),
            plan=ImportPlan.from_document(document["plan"]),
            mode=document["mode"],
            dry_run=False,
            base_version=base_version,
            intent=intent,
        )

    def current(self, request: ChangeRequest) -> Side:
        """Its version alone: the flags themselves are too many to show side by side."""
        places = request.project.environments.order_by("pk")
        return Side(",".join(f"{place.key}:{place.version}" for place in places), {})

    def merge(
        self,
        request: ChangeRequest,
        *,
        base: Document,
        theirs: Document,
        mine: Document,
        prefer: merging.Side,
    ) -> Merged:
        """The file overwrites what it names, so what of that was changed meanwhile is a clash."""
        plan = ImportPlan.from_document(mine["plan"])
        names, others = importing.split_off_changed(plan, _import_place(request), request)
        chosen = plan if prefer is merging.Side.MINE else others
        return Merged({**mine, "plan": chosen.document}, names)

    def address(self, request: ChangeRequest) -> str:
        return reverse("flag-list", args=[request.project.key])

    def edit_address(self, request: ChangeRequest) -> str:
        return ""

    def words(self, request: ChangeRequest, before: Document) -> list[str]:
        return list(request.words)


def _import_place(request: ChangeRequest) -> Environment:
    environment = request.project.environments.get(key=request.subject)
    environment.project = request.project
    return environment


def flag_of(request: ChangeRequest) -> Flag:
    """The flag that a request is about."""
    flag = Flag.objects.get(project=request.project, key=request.subject)
    flag.project = request.project
    return flag
