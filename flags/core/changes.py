"""The changes of flags as the gate wants to see them."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from flags.core import change_descriptions, descriptions, outcome_descriptions
from flags.engine import DocumentError, FlagDefinition, parse_configuration, parse_definition
from flags.models import Flag, FlagConfiguration
from flags.references import dependants
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals.changes import Change, canonical, same_document

CONFIGURATION = dependants.CONFIGURATION
DEFINITION = "flag.definition"
ARCHIVING = "flag.archiving"
Document = Mapping[str, Any]
_STATE = ("enabled", "introduced")


def configuration_change(
    current: FlagConfiguration,
    before: Document,
    version: int,
    brought: Collection[FlagConfiguration] = (),
) -> Change:
    """What becomes of a flag in one environment; ``current`` is as it is to be.

    ``brought`` are the flags that are introduced along with it. Nobody notices anything of a flag
    that stays as it was, not introduced.
    """
    after, environment = current.document, current.environment
    introduces = _is_introduced(before) != _is_introduced(after)
    noticed = _is_introduced(before) or _is_introduced(after)
    permissions = []
    if introduces or brought or before["enabled"] != after["enabled"]:
        permissions.append(Permission.FLAG_TOGGLE)
    if not same_document(_targeting(before), _targeting(after)):
        permissions.append(Permission.FLAG_EDIT)
    return Change(
        kind=CONFIGURATION,
        project=current.flag.project,
        environments=(environment,) if noticed else (),
        place=environment,
        subject_kind="flag",
        subject=current.flag.key,
        title=_configuration_title(current, before),
        base_version=base_of(version, brought),
        before=before,
        after=after,
        permissions=tuple(permissions),
        words=(*configuration_words(current.flag, before, after), *brought_words(brought)),
        turns_off=permissions == [Permission.FLAG_TOGGLE]
        and not (after["enabled"] or introduces or brought),
    )


def base_of(version: int, brought: Collection[FlagConfiguration]) -> str:
    """What a change of a configuration starts from: its version, and those of the flags that it
    brings along, so that what others agreed to is what is introduced."""
    return f"{version}+{_versions(brought)}" if brought else str(version)


def version_of(base_version: str) -> int:
    return int(base_version.partition("+")[0])


def brought_words(brought: Iterable[FlagConfiguration]) -> list[str]:
    text = _("{flag}, which it depends on, is introduced too, turned off: everyone gets {variant}.")
    return [
        text.format(flag=row.flag.title, variant=descriptions.quoted(row.targeting["off_variant"]))
        for row in brought
    ]


def definition_change(flag: Flag, before: Document, environments: Iterable[Environment]) -> Change:
    """What becomes of a flag itself; ``flag`` is as it is to be, its version still the old one.

    ``environments`` are those that get other answers by it.
    """
    after = flag.document
    text = _("Change what {flag} is, in every environment")
    return Change(
        kind=DEFINITION,
        project=flag.project,
        environments=tuple(environments),
        subject_kind="flag",
        subject=flag.key,
        title=text.format(flag=flag.title),
        base_version=str(flag.version),
        before=before,
        after=after,
        permissions=(Permission.FLAG_EDIT,),
        words=tuple(definition_words(before, after)),
    )


def archiving_change(flag: Flag, archived: bool, environments: Iterable[Environment]) -> Change:
    text = _("Archive {flag}") if archived else _("Restore {flag}")
    words = (
        _("Applications that still evaluate it get “flag not found”, in every environment.")
        if archived
        else _("Applications can evaluate it again, with its old settings, in every environment.")
    )
    return Change(
        kind=ARCHIVING,
        project=flag.project,
        environments=tuple(environments),
        subject_kind="flag",
        subject=flag.key,
        title=text.format(flag=flag.title),
        base_version=str(flag.version),
        before={"archived": not archived},
        after={"archived": archived},
        permissions=(Permission.FLAG_ARCHIVE,),
        words=(words,),
    )


def configuration_words(flag: Flag, before: Document, after: Document) -> list[str]:
    try:
        definition = flag.definition
        old, new = (parse_configuration(one, definition) for one in (before, after))
        if old.enabled or not new.enabled:
            return change_descriptions.configuration_changes(old, new)
        others = change_descriptions.configuration_changes(replace(old, enabled=True), new)
        return [outcome_descriptions.turned_on(new), *others]
    except DocumentError:  # what is stored is of another time; the documents say it all
        return [_("It refers to variants that the flag does not have; see the documents.")]


def who_gets_what(flag: Flag, *documents: Document) -> list[tuple[str, ...]]:
    try:
        definition = flag.definition
    except DocumentError:
        return [() for _one in documents]
    return [_gets(definition, one) for one in documents]


def _gets(definition: FlagDefinition, document: Document) -> tuple[str, ...]:
    try:
        configuration = parse_configuration(document, definition)
        if not configuration.introduced:
            return (_("Applications get “flag not found”, and use the default in their code."),)
        return outcome_descriptions.sentences(configuration)
    except DocumentError:
        return ()


def definition_words(before: Document, after: Document) -> list[str]:
    return change_descriptions.definition_changes(parse_definition(before), parse_definition(after))


def _configuration_title(current: FlagConfiguration, before: Document) -> str:
    names = {"flag": current.flag.title, "environment": current.environment.name}
    if not _is_introduced(before) and current.introduced:
        return _("Introduce {flag} in {environment}").format(**names)
    if before["enabled"] == current.enabled:
        return _("Change who gets {flag} in {environment}").format(**names)
    if current.enabled:
        return _("Turn on {flag} in {environment}").format(**names)
    return _("Turn off {flag} in {environment}").format(**names)


def _targeting(document: Document) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in _STATE}


def _is_introduced(document: Document) -> bool:
    return bool(document.get("introduced", True))


def _versions(rows: Iterable[FlagConfiguration]) -> str:
    versions = {row.flag.key: row.version for row in rows}
    return hashlib.sha256(canonical(versions).encode("utf-8", "surrogatepass")).hexdigest()[:16]
