"""What differs between two configurations, or two definitions, one sentence each."""

from collections.abc import Iterable

from django.utils.translation import gettext as _, gettext_lazy

from flags.core.descriptions import flag_test, plain_value, quoted, rule, serve, summary
from flags.engine import Configuration, FlagDefinition, Rule, Serve


def configuration_changes(before: Configuration, after: Configuration) -> list[str]:
    sentences = list(_switch_changes(before, after))
    sentences += _prerequisite_changes(before, after)
    sentences += _target_changes(before, after)
    sentences += _rule_changes(before.rules, after.rules)
    if before.fallthrough != after.fallthrough:
        sentences.append(_fallthrough_change(before.fallthrough, after.fallthrough))
    if before.salt != after.salt:
        sentences.append(_("Users are reshuffled: they may get another variant."))
    return sentences


_FIELD_NAMES = {
    "name": gettext_lazy("Name"),
    "kind": gettext_lazy("Kind"),
    "client_visible": gettext_lazy("Visible to public keys"),
    "description": gettext_lazy("Description"),
    "tags": gettext_lazy("Tags"),
    "owner": gettext_lazy("Owner"),
    "permanent": gettext_lazy("Permanent"),
}
_SCHEMA_CHANGES = {
    (False, True): gettext_lazy("Values have to satisfy a schema from now on."),
    (True, False): gettext_lazy("Values no longer have to satisfy a schema."),
    (True, True): gettext_lazy("The schema of its values changed."),
}


def definition_changes(before: FlagDefinition, after: FlagDefinition) -> list[str]:
    sentences = [
        _("{field}: {after} instead of {before}.").format(
            field=label,
            before=plain_value(getattr(before, name)),
            after=plain_value(getattr(after, name)),
        )
        for name, label in _FIELD_NAMES.items()
        if getattr(before, name) != getattr(after, name)
    ]
    old = {variant.key: variant for variant in before.variants}
    new = {variant.key: variant for variant in after.variants}
    sentences += [
        _("Variant {key} added.").format(key=quoted(key)) for key in new if key not in old
    ]
    sentences += [
        _("Variant {key} removed.").format(key=quoted(key)) for key in old if key not in new
    ]
    sentences += [
        _("Variant {key} changed.").format(key=quoted(key))
        for key in new
        if key in old and new[key] != old[key]
    ]
    if before.json_schema != after.json_schema:
        had, has = before.json_schema is not None, after.json_schema is not None
        sentences.append(str(_SCHEMA_CHANGES[had, has]))
    if not sentences and list(old) != list(new):
        sentences.append(_("The order of the variants changed."))
    return sentences


def _switch_changes(before: Configuration, after: Configuration) -> Iterable[str]:
    if before.introduced != after.introduced:
        yield _introduction(after)
    elif before.enabled != after.enabled:
        yield _("Turned on.") if after.enabled else _("Turned off.")
    if before.off_variant != after.off_variant:
        yield _("While off, everyone gets {after} instead of {before}.").format(
            before=quoted(before.off_variant), after=quoted(after.off_variant)
        )


def _introduction(after: Configuration) -> str:
    if not after.introduced:
        return _("Not introduced any more: applications get “flag not found” again.")
    text = _("Introduced, on: {what}.") if after.enabled else _("Introduced, off: {what}.")
    return text.format(what=summary(after))


def _prerequisite_changes(before: Configuration, after: Configuration) -> Iterable[str]:
    old = {one.flag: one for one in before.prerequisites}
    new = {one.flag: one for one in after.prerequisites}
    for flag, one in new.items():
        if old.get(flag) != one:
            yield _("On only where {condition}.").format(condition=flag_test(flag, one.variants))
    for flag in old.keys() - new.keys():
        yield _("No longer depends on flag {flag}.").format(flag=quoted(flag))


def _target_changes(before: Configuration, after: Configuration) -> list[str]:
    old, new = _targeted(before), _targeted(after)
    sentences = []
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) == new.get(key):
            continue
        text = (
            _("User {key} always gets {variant}.")
            if key in new
            else _("User {key} is no longer listed individually.")
        )
        sentences.append(text.format(key=key, variant=quoted(new.get(key, ""))))
    if len(sentences) > 10:
        more = _("… and {count} more individual users.").format(count=len(sentences) - 10)
        sentences = [*sentences[:10], more]
    return sentences


def _targeted(configuration: Configuration) -> dict[str, str]:
    return {key: target.variant for target in configuration.targets for key in target.keys}


def _rule_changes(before: tuple[Rule, ...], after: tuple[Rule, ...]) -> list[str]:
    old = {one.id: one for one in before}
    new = {one.id: one for one in after}
    sentences = [
        _("New rule: {rule}.").format(rule=_named(one)) for one in after if one.id not in old
    ]
    sentences += [
        _("Rule removed: {rule}.").format(rule=_named(one)) for one in before if one.id not in new
    ]
    sentences += [
        _rule_change(old[one.id], one) for one in after if one.id in old and one != old[one.id]
    ]
    stayed = [one.id for one in before if one.id in new]
    if stayed != [one.id for one in after if one.id in old]:
        sentences.append(_("The order of the rules changed."))
    return sentences


def _rule_change(before: Rule, after: Rule) -> str:
    """Sentences leave out the ninth value, types, seeds and moves: then they say so."""
    was, is_now = _named(before), _named(after)
    if was == is_now:
        return _("Rule changed in a detail that is not put into words: {rule}.").format(rule=is_now)
    return _("Rule changed: {after}. It was: {before}.").format(after=is_now, before=was)


def _fallthrough_change(before: Serve, after: Serve) -> str:
    was, is_now = serve(before), serve(after)
    if was == is_now:
        return _("Everyone else gets {variant} as before, but reshuffled.").format(variant=is_now)
    return _("Everyone else gets {after} instead of {before}.").format(before=was, after=is_now)


def _named(one: Rule) -> str:
    return f"“{one.name}”, {rule(one)}" if one.name else rule(one)
