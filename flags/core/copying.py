"""Taking over what there is: a configuration in another environment, a flag under another key."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.translation import gettext as _

from flags.core.configurations import save_configuration
from flags.core.definitions import create_flag
from flags.core.parsing import is_of_release
from flags.models import Flag, FlagConfiguration
from portal.access.models import Environment
from portal.approvals.errors import Waiting
from portal.lib.errors import AviaryError, Conflict, Invalid
from portal.lib.journal import Intent


@dataclass(frozen=True, slots=True)
class Taking:
    state: bool = False
    salt: bool = False


TARGETING_ALONE = Taking()


def copied_document(
    source: FlagConfiguration, target: FlagConfiguration, taking: Taking
) -> dict[str, Any]:
    """What the target is to be. It keeps its salt, and so who is in which bucket, unless told; and
    the rules that a release has given it, as those of the source are its release's alone."""
    document = {name: one for name, one in source.document.items() if name != "introduced"}
    own = [rule for rule in target.targeting["rules"] if is_of_release(rule)]
    rest = [rule for rule in source.targeting["rules"] if not is_of_release(rule)]
    document["rules"] = own + rest
    if not taking.state:
        document["enabled"] = target.enabled
    if not taking.salt:
        document["salt"] = target.document["salt"]
    document["introduced"] = target.introduced or document["enabled"]
    return document


def copy_configuration(
    *,
    flag: Flag,
    source: Environment,
    target: Environment,
    source_version: int,
    expected_version: int,
    intent: Intent,
    taking: Taking = TARGETING_ALONE,
) -> FlagConfiguration:
    """Give a flag in one environment what it does in another.

    Raises what save_configuration raises; Conflict also where the source is no longer as it was
    seen, and Invalid where both are the same environment.
    """
    if source.pk == target.pk:
        raise Invalid({"source": _("Choose another environment to copy from.")})
    ours, theirs = (
        FlagConfiguration.objects.select_related("environment").get(flag=flag, environment=place)
        for place in (target, source)
    )
    document = copied_document(theirs, ours, taking)
    if theirs.version != source_version:
        text = _("This flag was changed in {environment} meanwhile.")
        raise Conflict(
            text.format(environment=source.name), current=theirs.document, yours=document
        )
    why = [intent.reason.strip(), f"(copied from {source.key})"]
    return save_configuration(
        flag=flag,
        environment=target,
        document=document,
        expected_version=expected_version,
        intent=replace(intent, reason=" ".join(filter(None, why))),
    )


@dataclass(slots=True)
class Cloned:
    """A new flag; where its targeting waits for others; where it was refused, and why."""

    flag: Flag
    waiting: list[Waiting] = field(default_factory=list)
    refused: list[tuple[Environment, str]] = field(default_factory=list)


def clone_flag(
    *, flag: Flag, key: str, name: str, environments: Collection[Environment], intent: Intent
) -> Cloned:
    """Create a flag like another one, off everywhere, and take over its targeting in some places.

    Salts are fresh: who is in a share of the one says nothing about the other. The flag is there
    once this returns, and where a policy stands its targeting is kept for when it is introduced;
    each environment's targeting is a write of its own, which may wait or fail.
    Raises what create_flag raises.
    """
    document = {**flag.document, "key": key, "name": name}
    cloned = Cloned(create_flag(project=flag.project, document=document, intent=intent))
    for configuration in flag.configurations.filter(environment__in=environments):
        _take_over(cloned, configuration, intent)
    return cloned


def _take_over(cloned: Cloned, source: FlagConfiguration, intent: Intent) -> None:
    place = source.environment
    current = FlagConfiguration.objects.get(flag=cloned.flag, environment=place)
    document = {
        **source.document,
        "enabled": False,
        "introduced": current.introduced,
        "salt": secrets.token_hex(4),
    }
    try:
        save_configuration(
            flag=cloned.flag,
            environment=place,
            document=document,
            expected_version=current.version,
            intent=replace(intent, reason=f"cloned from {source.flag.key}"),
        )
    except Waiting as waiting:
        cloned.waiting.append(waiting)
    except AviaryError as error:
        cloned.refused.append((place, str(error)))
