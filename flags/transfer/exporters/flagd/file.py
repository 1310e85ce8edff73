"""flagd's flag file (flagd.dev/schema/v0/flags.json), of flags whose answers it gives exactly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from flags.engine import (
    ByLogic,
    CodeDefault,
    Configuration,
    EnvironmentFlag,
    Fixed,
    FlagDefinition,
)
from flags.transfer.exporters.base import Corpus, in_order, refuse
from flags.transfer.exporters.flagd.logic import Logic, choose
from flags.transfer.exporters.flagd.serving import NOBODY, write_answer
from flags.transfer.exporters.flagd.state import Writing
from flags.transfer.importers.base import NotExpressible, Skipped

SCHEMA: Final = "https://flagd.dev/schema/v0/flags.json"
MAX_DEPTH: Final = 200
"""Levels of one flag's targeting: what JSON libraries read."""
_RESERVED: Final = {"null", NOBODY}
# flagd takes a name from the JSON that its logic gives, and removes quotes.
_UNREADABLE: Final = re.compile('["\\\\<>&\u2028\u2029]')
Used: TypeAlias = Mapping[tuple[str, str], object]


@dataclass(frozen=True, slots=True)
class Written:
    """One flag: its document, or None and why it cannot be.

    ``used`` are the documents that it was written from, by kind and key: while they are the same,
    so is this.
    """

    key: str
    document: dict[str, Any] | None
    reason: str
    evaluators: Mapping[str, Logic]
    used: Used
    drops_metadata: bool


@dataclass(slots=True)
class FlagdFile:
    flags: dict[str, Any] = field(default_factory=dict)
    evaluators: dict[str, Logic] = field(default_factory=dict)
    left_out: list[Skipped] = field(default_factory=list)
    without_metadata: list[str] = field(default_factory=list)
    """Flags whose variants have metadata, for which flagd has no place."""

    def add(self, written: Written) -> None:
        if written.document is None:
            self.left_out.append(Skipped(written.key, written.reason))
            return
        self.flags[written.key] = written.document
        if written.drops_metadata:
            self.without_metadata.append(written.key)
        self.evaluators.update(written.evaluators)

    @property
    def notes(self) -> list[str]:
        """What answers of flagd do not carry."""
        if not self.without_metadata:
            return []
        return [f"without the metadata of its variants: {', '.join(self.without_metadata)}"]

    def document(self, flag_set: str) -> dict[str, Any]:
        """The file. Every answer of flagd carries its metadata, so there is little of that."""
        evaluators = {key: self.evaluators[key] for key in in_order(self.evaluators)}
        return {
            "$schema": SCHEMA,
            "metadata": metadata_of(flag_set, len(self.left_out)),
            "flags": self.flags,
            **({"$evaluators": evaluators} if evaluators else {}),
        }


def metadata_of(flag_set: str, left_out: int) -> dict[str, object]:
    return {"flagSetId": flag_set, **({"leftOut": left_out} if left_out else {})}


def write_file(corpus: Corpus) -> FlagdFile:
    file = FlagdFile()
    for key in in_order(corpus.flags):
        file.add(write_flag(corpus.flags[key], corpus))
    return file


def write_flag(flag: EnvironmentFlag, corpus: Corpus) -> Written:
    writing = Writing(corpus)
    key = flag.definition.key
    writing.look_up("flag", key, corpus.flags)
    document, reason = None, ""
    try:
        document = _write(flag, writing)
    except NotExpressible as error:
        reason = str(error)
    except RecursionError:
        reason = "its targeting is too deep"
    drops_metadata = any(one.metadata for one in flag.definition.variants)
    return Written(key, document, reason, writing.evaluators, writing.used, drops_metadata)


def _write(flag: EnvironmentFlag, writing: Writing) -> dict[str, Any]:
    names = _names(flag.definition)
    default, targeting = _write_targeting(flag, names, writing)
    return {
        "state": "ENABLED",  # of a disabled flag flagd serves nothing, and we a variant
        "variants": {names[one.key]: one.value for one in flag.definition.variants},
        "defaultVariant": default,
        **({"targeting": targeting} if targeting is not None else {}),
        "metadata": {**flag.definition.metadata, "version": flag.version},
    }


def _write_targeting(
    flag: EnvironmentFlag, names: Mapping[str, str], writing: Writing
) -> tuple[str | None, Logic]:
    """The default variant, null for the one in the code; and the targeting, None for none."""
    if not flag.configuration.enabled:
        return names[flag.configuration.off_variant], None
    answer = write_answer(flag, names, writing)
    if not isinstance(answer, dict):
        return answer, None
    _check_names(names)
    default = _default(flag.configuration, names)
    if default is not None and answer.get("if", [None])[-1] == default:
        answer = {"if": answer["if"][:-1]}  # so that flagd says that this is the default
    targeting = choose([(writing.unplaceable_units(), NOBODY)], answer)
    _check_depth(targeting, MAX_DEPTH)
    return default, targeting


def _default(configuration: Configuration, names: Mapping[str, str]) -> str | None:
    """What is served where targeting gives null, which it does for the default in the code."""
    fallthrough = configuration.fallthrough
    serves = (fallthrough, *(rule.serve for rule in configuration.rules))
    if isinstance(fallthrough, ByLogic) or any(isinstance(one, CodeDefault) for one in serves):
        return None
    if isinstance(fallthrough, Fixed):
        return names[fallthrough.variant]
    return names[configuration.off_variant]


def _names(definition: FlagDefinition) -> dict[str, str]:
    names = {one.key: one.label for one in definition.variants}
    if len(set(names.values())) != len(names):
        refuse("two of its variants are served by the same name")
    return names


def _check_names(names: Mapping[str, str]) -> None:
    for name in names.values():
        if name in _RESERVED or name != name.strip() or not name or _UNREADABLE.search(name):
            refuse(f"flagd's targeting cannot name the variant '{name}'")


def _check_depth(logic: Logic, levels: int) -> None:
    if not levels:
        refuse("its targeting is too deep")
    inner = logic.values() if isinstance(logic, dict) else logic if isinstance(logic, list) else ()
    for one in inner:
        _check_depth(one, levels - 1)
