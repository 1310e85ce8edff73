"""Aviary's own flag documents: one shape for files, the API and the engine.

A file holds a list of flags, or an object of flags by their key, either one perhaps under
``flags``; or a single flag. Each carries its definition and, under ``environments``, a
configuration per environment, of which the chosen one's is taken. Beside ``flags`` there may be
``segments`` and ``groups`` of the project that they refer to, each a list or an object by key.
"""

from collections.abc import Iterable, Mapping

from flags.transfer.importers.base import (
    FileRefused,
    ImportPlan,
    NotExpressible,
    PlannedFlag,
    listed,
    quote,
    refuse,
)

_SHAPE = "Expected a list of flags, or an object of flags by their key."
_DEPENDENCY_SHAPE = "Expected {name} to be a list of objects, each with a key that is a text."
# Fields of the document that are not part of a definition.
_NOT_DEFINITION = {"environments", "archived", "version", "created_at", "updated_at"}


def read(document: object, environment: str) -> ImportPlan:
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
    _read_dependencies(document, plan)
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
        raise FileRefused(_SHAPE)
    objects = [_object(index, flag) for index, flag in enumerate(document)]
    return [(_text(flag.get("key"), index), flag) for index, flag in enumerate(objects)]


def _read_dependencies(document: object, plan: ImportPlan) -> None:
    if not isinstance(document, Mapping) or not isinstance(document.get("flags"), list | Mapping):
        return
    for name, planned in (("segments", plan.segments), ("groups", plan.groups)):
        for key, one in _dependencies_in(document.get(name, []), name):
            planned.add(key, {**one, "key": key})


def _dependencies_in(found: object, name: str) -> Iterable[tuple[str, Mapping[str, object]]]:
    """Raises FileRefused for what is no list of them: flags could not refer to them."""
    if isinstance(found, Mapping):
        found = [{"key": key, **_dependency(one, name)} for key, one in found.items()]
    if not isinstance(found, list):
        raise FileRefused(_DEPENDENCY_SHAPE.format(name=name))
    for one in found:
        key = _dependency(one, name).get("key")
        if not isinstance(key, str):
            raise FileRefused(_DEPENDENCY_SHAPE.format(name=name))
        yield key, one


def _dependency(one: object, name: str) -> Mapping[str, object]:
    if not isinstance(one, Mapping) or not all(isinstance(field, str) for field in one):
        raise FileRefused(_DEPENDENCY_SHAPE.format(name=name))
    return one


def _object(where: object, flag: object) -> Mapping[str, object]:
    if not isinstance(flag, Mapping) or not all(isinstance(name, str) for name in flag):
        raise FileRefused(f"{_SHAPE} Flag {quote(where)} is not an object.")
    return flag


def _text(key: object, where: int | None = None) -> str:
    if not isinstance(key, str):
        place = f" Flag {where} has no key." if where is not None else ""
        raise FileRefused(f"{_SHAPE} A key must be a text.{place}")
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
