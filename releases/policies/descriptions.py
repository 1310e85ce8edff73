from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _, ngettext

from flags.models import Segment
from flags.segments.changes import members_words
from portal.access.models import Project
from releases.catalogue.descriptions import check_sentence, differences
from releases.engine.checks import read_check
from releases.engine.policies import Moved, Policy, Ruling

Document = Mapping[str, Any]


def policy_changes(before: Document, after: Document) -> list[str]:
    old, new = (policy_sentences(one) if one else [] for one in (before, after))
    return differences(old, new)


def policy_sentences(policy: Document) -> list[str]:
    return list(_sentences(policy))


def _sentences(policy: Document) -> Iterator[str]:
    yield _("Name: {name}").format(name=policy["name"])
    yield scope_sentence(policy)
    for check in policy["checks"]:
        yield check_sentence(read_check(check))
    if policy["templates"]:
        text = _("Its plan has to be one of the templates: {names}.")
        yield text.format(names=", ".join(policy["templates"]))


def cohort_sentences(project: Project, keys: Collection[str]) -> list[str]:
    """Who the cohorts of a plan are: segments by name, as they are when their step comes."""
    rows = Segment.objects.filter(project=project, key__in=keys)
    text = _("The cohort {key} is that segment as it is then. It is at version {n}: {members}")
    return [
        text.format(key=one.key, n=one.version, members=" ".join(members_words(one.document)))
        for one in rows.select_related("included", "excluded").order_by("key")
    ]


def scope_sentence(policy: Document) -> str:
    what = []
    if names := policy["services"]:
        text = ngettext("the service {names}", "the services {names}", len(names))
        what.append(text.format(names=", ".join(names)))
    if names := policy["tags"]:
        text = ngettext("flags with the tag {names}", "flags with the tags {names}", len(names))
        what.append(text.format(names=", ".join(names)))
    about = _(" and ").join(what) or _("everything")
    where = ", ".join(policy["environments"]) or _("every environment")
    return _("For releases of {about}, in {where}.").format(about=about, where=where)


def why_sentence(policy: Policy, moved: Moved) -> str:
    names = {
        _("service"): sorted(policy.services & moved.services),
        _("tag"): sorted(policy.tags & moved.tags),
        _("environment"): sorted(policy.environments & {moved.environment}),
    }
    said = [f"{what} {', '.join(found)}" for what, found in names.items() if found]
    if not said:
        return _("It applies to every release.")
    return _("It names the {names}.").format(names=_(" and the ").join(said))


def overruled_sentences(policy: Policy, ruling: Ruling) -> list[str]:
    text = _("The check “{key}” of the release policy “{name}” is used instead.")
    found = [text.format(key=key, name=one.name) for key, one in ruling.overruled(policy)]
    requiring = ruling.requiring
    if policy.templates and requiring is not None and requiring is not policy:
        text = _("The templates of the release policy “{name}” are required instead.")
        found.append(text.format(name=requiring.name))
    return found
