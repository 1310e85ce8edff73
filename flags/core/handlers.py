from collections.abc import Callable, Collection

from django.urls import reverse
from django.utils.translation import gettext as _

from flags.core import changes, configurations, definitions, outcome_descriptions
from flags.core.merge_descriptions import (
    CONFIGURATION as CONFIGURATION_PARTS,
    DEFINITION as DEFINITION_PARTS,
    clash_sentences,
    rule_names_in,
)
from flags.core.parsing import without_past_releases
from flags.engine import parse_definition
from flags.models import Flag, FlagConfiguration
from flags.usage import impact
from portal.access.models import Project
from portal.approvals.handlers import (
    Document,
    Handler,
    Merged,
    Outcome,
    Side,
    Sides,
    Target,
    Wanted,
    edited_at,
    page_at,
)
from portal.approvals.models import ChangeRequest
from portal.lib.errors import Conflict

Sentences = tuple[str, ...]


def _find_configuration(target: Target) -> FlagConfiguration:
    flag, environment = find_flag(target), target.place
    found = flag.configurations.get(environment=environment)
    found.environment = environment
    return found


def _configuration_now(row: FlagConfiguration, wanted: Document) -> Side:
    brought = configurations.asked_along(row, wanted)
    return Side(changes.base_of(row.version, brought), row.document)


def archived(project: Project, keys: Collection[str]) -> dict[str, str]:
    text = _(
        "“{flag}” is archived, so this request cannot be applied. Restore the flag, or "
        "withdraw the request."
    )
    archived = project.flags.filter(key__in=keys).exclude(archived_at=None)
    return {key: text.format(flag=key) for key in archived.values_list("key", flat=True)}


def _configure(row: FlagConfiguration, wanted: Wanted) -> None:
    configurations.save_configuration(
        flag=row.flag,
        environment=row.environment,
        document={"introduced": True, **wanted.document},
        expected_version=changes.version_of(wanted.base_version),
        intent=wanted.intent,
    )


def _targeting_page(target: Target) -> str:
    return reverse("flag-targeting", args=[target.project.key, target.place.key, target.subject])


def _configuration_words(row: FlagConfiguration, before: Document, after: Document) -> list[str]:
    after = without_past_releases(after, before)
    return changes.configuration_words(row.flag, before, after)


def _merge_configurations(row: FlagConfiguration, _request: ChangeRequest, sides: Sides) -> Merged:
    merged = sides.merged(CONFIGURATION_PARTS)
    names = rule_names_in(row.flag.definition, *sides.documents) if merged.clashes else {}
    return Merged(merged.document, clash_sentences(merged.clashes, names))


def _answers_here(row: FlagConfiguration, request: ChangeRequest) -> list[Outcome]:
    sides = changes.who_gets_what(row.flag, request.before, request.after)
    return [Outcome(row.environment.name, *sides, environment=row.environment.key)]


CONFIGURATION = Handler(
    find=_find_configuration,
    current=_configuration_now,
    apply=_configure,
    page=_targeting_page,
    edit_page=edited_at(_targeting_page),
    words=_configuration_words,
    merge=_merge_configurations,
    outcomes=_answers_here,
    impact=lambda row, request, now: impact.of_configuration(row, request.after, now=now),
    stopped=archived,
)


def find_flag(target: Target) -> Flag:
    return target.project.flags.get(key=target.subject)


def _edit(flag: Flag, wanted: Wanted) -> None:
    definitions.edit_flag(
        flag=flag,
        document=wanted.document,
        expected_version=int(wanted.base_version),
        intent=wanted.intent,
    )


def _merge_definitions(_flag: Flag, _request: ChangeRequest, sides: Sides) -> Merged:
    merged = sides.merged(DEFINITION_PARTS)
    return Merged(merged.document, clash_sentences(merged.clashes, {}))


def _values_and_answers(flag: Flag, request: ChangeRequest) -> list[Outcome]:
    both = (request.before, request.after)
    values = (outcome_descriptions.values(parse_definition(one)) for one in both)
    return [Outcome(_("The values"), *values), *_answers(flag, lambda gets: (gets, gets))]


def _answers(
    flag: Flag, sides: Callable[[Sentences], tuple[Sentences, Sentences]]
) -> list[Outcome]:
    return [
        Outcome(
            row.environment.name,
            *sides(*changes.who_gets_what(flag, row.document)),
            environment=row.environment.key,
        )
        for row in flag.configurations.select_related("environment")
    ]


DEFINITION = Handler(
    find=find_flag,
    current=lambda flag, _wanted: Side(str(flag.version), flag.document),
    apply=_edit,
    page=page_at("flag-settings"),
    edit_page=edited_at(page_at("flag-settings")),
    words=lambda _flag, before, after: changes.definition_words(before, after),
    merge=_merge_definitions,
    fit=definitions.first_possible,
    outcomes=_values_and_answers,
    stopped=archived,
)


def _archive(flag: Flag, wanted: Wanted) -> None:
    document = wanted.document
    if str(flag.version) != wanted.base_version:
        raise Conflict(definitions.changed_meanwhile(), current=flag.document, yours=dict(document))
    carry_out = definitions.archive_flag if document["archived"] else definitions.restore_flag
    carry_out(flag=flag, intent=wanted.intent)


def _answers_or_none(flag: Flag, request: ChangeRequest) -> list[Outcome]:
    none, goes = (_("Applications get “flag not found”."),), request.after["archived"]
    return _answers(flag, lambda gets: (gets, none) if goes else (none, gets))


ARCHIVING = Handler(
    find=find_flag,
    current=lambda flag, _wanted: Side(str(flag.version), {"archived": flag.is_archived}),
    apply=_archive,
    page=page_at("flag-settings"),
    outcomes=_answers_or_none,
)
