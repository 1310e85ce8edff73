"""Aviary's own flag documents: one shape for files, the API and the engine.

A file holds a list of flags, or an object of flags by their key, either one perhaps under
``flags``; or a single flag. Each carries its definition and, under ``environments``, a
configuration per environment, of which the chosen one's is taken.
"""

from collections.abc import Iterable, Mapping

from flags.importers.base import (
    ImportPlan,
    NotExpressible,
    PlannedFlag,
    Refused,
    listed,
    quote,
    refuse,
)

_SHAPE = "Expected a list of flags, or an object of flags by their key."
# Fields of the document that are not part of a definition.
_NOT_DEFINITION = {"environments", "archived", "version", "created_at", "updated_at"}


def read(document: object, environment: str) -> ImportPlan:
    """The plan for one environment. Raises Refused."""
    plan = ImportPlan("native")
    without: list[str] = []
    for key, flag in _flags(document):
        try:
            planned = _read_flag(key, flag, environment)
        except NotExpressible as error:
            plan.skip(key, str(error))
            continue
        plan.add(planned)
        if planned.configuration is None:
            without.append(key)
    plan.notes += _notes_of_cohorts(document)
    if without:
        plan.notes.append(f"without a configuration for {quote(environment)}: {listed(without)}")
    return plan


def _flags(document: object) -> Iterable[tuple[str, Mapping[str, object]]]:
    if isinstance(document, Mapping) and isinstance(document.get("flags"), list | Mapping):
        document = document["flags"]
    if isinstance(document, Mapping) and "variants" in document:
        document = [document]
    if isinstance(document, Mapping):
        return [(_text(key), _object(key, flag)) for key, flag in document.items()]
    if not isinstance(document, list):
        raise Refused(_SHAPE)
    objects = [_object(index, flag) for index, flag in enumerate(document)]
    return [(_text(flag.get("key"), index), flag) for index, flag in enumerate(objects)]


def _notes_of_cohorts(document: object) -> Iterable[str]:
    """Segments and groups are the project's, not an environment's: they are not taken over here."""
    if not isinstance(document, Mapping):
        return
    for name in ("segments", "groups"):
        found = document.get(name)
        if isinstance(found, list) and found:
            keys = [str(one.get("key")) for one in found if isinstance(one, Mapping)]
            yield f"{name} of the file are not imported, create them first: {listed(keys)}"


def _object(where: object, flag: object) -> Mapping[str, object]:
    if not isinstance(flag, Mapping) or not all(isinstance(name, str) for name in flag):
        raise Refused(f"{_SHAPE} Flag {quote(where)} is not an object.")
    return flag


def _text(key: object, where: int | None = None) -> str:
    if not isinstance(key, str):
        place = f" Flag {where} has no key." if where is not None else ""
        raise Refused(f"{_SHAPE} A key must be a text.{place}")
    return key


def _read_flag(key: str, flag: Mapping[str, object], environment: str) -> PlannedFlag:
    if flag.get("key", key) != key:
        refuse("key", f"{quote(flag['key'])} stands under {quote(key)}")
    if flag.get("archived", False) is not False:
        refuse("archived", "the file says that this flag is archived")
    definition = {name: value for name, value in flag.items() if name not in _NOT_DEFINITION}
    return PlannedFlag(key, {**definition, "key": key}, _configuration(flag, environment))


def _configuration(flag: Mapping[str, object], environment: str) -> Mapping[str, object] | None:
    environments = flag.get("environments", {})
    if not isinstance(environments, Mapping):
        refuse("environments", "expected an object by environment")
    configuration = environments.get(environment)
    if configuration is None:
        return None
    if not isinstance(configuration, Mapping):
        refuse(f"environments.{environment}", "expected an object")
    # A version is a place's own; it means nothing where the file is read.
    return {name: value for name, value in configuration.items() if name != "version"}
