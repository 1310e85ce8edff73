"""How a project names its flags: a pattern that the keys of new flags have to fit."""

from django.db import transaction
from django.utils.translation import gettext as _

from flags.engine import DocumentError, parse_definition
from flags.models import NamingRule
from flags.services.schemas import check_pattern, compile_pattern
from portal.access import authority, outbox
from portal.access.models import Project
from portal.access.permissions import Permission
from portal.lib import journal
from portal.lib.errors import Invalid, checked_text
from portal.lib.journal import Actor, Entry

MOST_PATTERN, MOST_HINT = 200, 300


def rule_of(project: Project) -> NamingRule | None:
    """A project's rule; None where keys are free."""
    return NamingRule.objects.filter(project=project).first()


def require_key(rule: NamingRule | None, key: str) -> None:
    """Raise Invalid where the key of a new flag does not fit the rule."""
    if rule is None or compile_pattern(rule.pattern).fullmatch(key):
        return
    text = _("Keys of this project look like “{example}”.").format(example=rule.example)
    raise Invalid({"key": f"{text} {rule.hint}".strip()})


@transaction.atomic
def set_naming_rule(
    *, project: Project, pattern: str, example: str, hint: str, actor: Actor
) -> NamingRule | None:
    """Have new keys fit a pattern, or with an empty one be free again. Flags that exist stay.

    Raises Forbidden without ``environment.configure``; Invalid where RE2 does not know the
    pattern, or the example is no key or does not fit it.
    """
    authority.require(actor, Permission.ENVIRONMENT_CONFIGURE, project=project)
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
    _record(project, actor, before, after)
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


def _record(
    project: Project,
    actor: Actor,
    before: dict[str, object] | None,
    after: dict[str, object] | None,
) -> None:
    journal.write(
        Entry(
            event="project.naming_rule_changed",
            actor=actor,
            subject_kind="project",
            subject=project.key,
            project=project.key,
            before=before or {},
            after=after or {},
        )
    )
