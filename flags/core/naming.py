"""How a project names things: new keys fit a pattern, and differ from others by more than case."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import re2
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from flags.engine import DocumentError, parse_definition
from flags.models import NamingRule
from portal.access import authority, outbox
from portal.access.models import Project
from portal.access.permissions import Permission
from portal.lib import lookalikes
from portal.lib.errors import Invalid, checked_text
from portal.lib.journal import Intent

MOST_PATTERN, MOST_HINT = 200, 300


def rule_of(project: Project) -> NamingRule | None:
    return NamingRule.objects.filter(project=project).first()


def require_key(rule: NamingRule | None, key: str) -> None:
    if rule is None or compile_pattern(rule.pattern).fullmatch(key):
        return
    text = _("Keys of this project look like “{example}”.").format(example=rule.example)
    raise Invalid({"key": f"{text} {rule.hint}".strip()})


def refuse_alike(rows: QuerySet[Any], key: str) -> None:
    """Raise Invalid where another of the rows has this key but for case, width or composition.

    Evaluators compare byte by byte: a mistyped key would get the answers of the other.
    """
    for other in _alike(rows.values_list("key", flat=True))[lookalikes.folded(key)]:
        raise Invalid.of(
            "key",
            _("“{key}” differs from “{other}” only in case or width. Choose another key."),
            key=key,
            other=other,
        )


def notes_of_alike(created: Collection[str], keys: Iterable[str]) -> list[str]:
    alike = _alike({*created, *keys}) if created else {}
    return [
        f"“{key}” differs from “{other}” only in case or width; both are kept"
        for key in created
        for other in alike[lookalikes.folded(key)]
        if other < key or (other != key and other not in created)
    ]


def _alike(keys: Iterable[str]) -> Mapping[str, list[str]]:
    found = defaultdict[str, list[str]](list)
    for key in keys:
        found[lookalikes.folded(key)].append(key)
    return found


@transaction.atomic
def set_naming_rule(
    *, project: Project, pattern: str, example: str, hint: str, intent: Intent
) -> NamingRule | None:
    """Have new keys fit a pattern, or with an empty one be free again. Flags that exist stay.

    Raises Forbidden without ``environment.configure``; Invalid where RE2 does not know the
    pattern, or the example is no key or does not fit it.
    """
    authority.require(intent.actor, Permission.ENVIRONMENT_CONFIGURE, project=project)
    pattern = checked_text(pattern, "pattern", most=MOST_PATTERN)
    example, hint = example.strip(), checked_text(hint, "hint", most=MOST_HINT)
    outbox.lock_people(project)
    current = rule_of(project)
    before = current.document if current else None
    wanted = NamingRule(project=project, pattern=pattern, example=example, hint=hint)
    after = wanted.document if pattern else None
    if before == after:
        return current
    if after:
        _check(wanted)
    NamingRule.objects.filter(project=project).delete()
    if after:
        wanted.save()
    intent.record("project.naming_rule_changed", project, before=before or {}, after=after or {})
    return wanted if after else None


def _check(rule: NamingRule) -> None:
    check_pattern(rule.pattern, "pattern")
    try:
        parse_definition(
            {
                "key": rule.example,
                "value_type": "boolean",
                "variants": [{"key": "on", "value": True}],
            }
        )
    except DocumentError as error:
        raise Invalid({"example": error.problems[0].message}) from None
    if not compile_pattern(rule.pattern).fullmatch(rule.example):
        raise Invalid({"example": _("Give an example that fits the pattern as a whole.")})


# Patterns that people write: RE2's, which take linear time whatever they say.


_MOST_TOLD = 200


def check_pattern(pattern: str, path: str) -> None:
    try:
        compile_pattern(pattern)
    except re2.error as error:
        told = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise Invalid.of(
            path,
            _("Not a valid RE2 pattern: {error}."),
            error=told[:_MOST_TOLD],
        ) from None


def compile_pattern(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem, options.log_errors = 1 << 20, False
    return re2.compile(pattern, options)
