from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Prefetch, QuerySet
from django.utils.translation import gettext as _

from flags.core import searching
from flags.core.searching import FlagFilter
from flags.engine import FlagDefinition
from flags.models import Favourite, Flag, FlagConfiguration, SavedView
from flags.usage.lifecycle import Stage
from flags.usage.stages import stages_of
from portal.access import selectors as access
from portal.access.models import Environment, Project, User
from portal.lib.errors import Invalid
from portal.lib.paging import Page, page_of


@dataclass(frozen=True, slots=True)
class FlagPage:
    page: Page[Flag]
    total: int

    @property
    def flags(self) -> list[Flag]:
        return self.page.rows

    @property
    def next_after(self) -> str:
        return self.page.next


def list_flags(project: Project, wanted: FlagFilter, *, now: datetime) -> FlagPage:
    """A page of a project's flags, each with its configurations in order of environments.

    Paged by what they are sorted by and not by number, so that a flag created meanwhile shifts
    nothing.
    """
    matching = _matching(project, wanted, now)
    page = page_of(
        matching.prefetch_related(_with_configurations()),
        after=wanted.after,
        before=wanted.before,
        size=wanted.size,
    )
    return FlagPage(page, matching.count())


def all_flags(project: Project, wanted: FlagFilter, *, now: datetime) -> list[Flag]:
    return list(_matching(project, wanted, now).prefetch_related(_with_configurations()))


def matching_keys(project: Project, wanted: FlagFilter, most: int, *, now: datetime) -> list[str]:
    return list(_matching(project, wanted, now).values_list("key", flat=True)[:most])


def _matching(project: Project, wanted: FlagFilter, now: datetime) -> QuerySet[Flag]:
    """Where a flag is in its life is judged, and cannot be asked of the database."""
    found = searching.matching(project, wanted)
    if wanted.stage not in {stage.value for stage in Stage}:
        return found
    return _at_stage(project, found, wanted.stage, now)


def flags_of(project: Project, keys: Collection[str]) -> list[Flag]:
    rows = project.flags.filter(key__in=keys).order_by("key")
    return list(rows.prefetch_related(_with_configurations()))


def get_flag(project: Project, key: str) -> Flag:
    """A flag with its configurations. Raises Flag.DoesNotExist where the project has none."""
    return project.flags.prefetch_related(_with_configurations()).get(key=key)


def get_configuration(flag: Flag, environment: Environment) -> FlagConfiguration:
    return flag.configurations.select_related("environment").get(environment=environment)


def configurations_in(environment: Environment) -> QuerySet[FlagConfiguration]:
    found = FlagConfiguration.objects.filter(environment=environment, flag__archived_at=None)
    return found.select_related("flag")


def configurations_of(project: Project) -> QuerySet[FlagConfiguration]:
    found = FlagConfiguration.objects.filter(flag__project=project, flag__archived_at=None)
    return found.select_related("flag", "environment")


def definitions_of(wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], FlagDefinition]:
    """What the flags of these (project key, flag key) are now; those that are gone are left out."""
    keys = {key for _project, key in wanted}
    flags = Flag.objects.filter(key__in=keys).select_related("project")
    found = {(flag.project.key, flag.key): flag for flag in flags}
    return {name: flag.definition for name, flag in found.items() if name in wanted}


def state_of(project: Project) -> str:
    """Changes whenever something in the project's flags does: what a page compares to stay live."""
    versions = project.environments.order_by("pk").values_list("version", flat=True)
    newest = Flag.objects.filter(project=project).aggregate(at=Max("updated_at"))["at"]
    return "-".join([*map(str, versions), f"{newest.timestamp():.6f}" if newest else "0"])


@dataclass(frozen=True, slots=True)
class Mover:
    words: str
    address: str


Moved = dict[tuple[int, str], Mover]
"""By environment's id and flag's key."""
# What else moves flags: each says, of a project, which and where.
movers: list[Callable[[Project], Moved]] = []


def moved_in(project: Project) -> Moved:
    return {at: mover for moves in movers for at, mover in moves(project).items()}


def known_tags(project: Project) -> list[str]:
    lists = Flag.objects.alive().filter(project=project).values_list("tags", flat=True)
    return sorted({tag for tags in lists for tag in tags})


def known_owners(project: Project) -> list[str]:
    owners = Flag.objects.filter(project=project).exclude(owner="")
    return sorted(set(owners.values_list("owner", flat=True)))


def possible_owners(project: Project) -> list[str]:
    people = access.members_of(project).values_list("username", flat=True)
    groups = project.groups.values_list("key", flat=True)
    return sorted({*known_owners(project), *people, *groups})


def names_of(user: User, project: Project) -> tuple[str, ...]:
    groups = user.project_groups.filter(project=project).values_list("key", "name")
    return (user.username, *{name for names in groups for name in names})


def favourites_of(user: User, project: Project) -> set[int]:
    found = Favourite.objects.filter(user=user, flag__project=project)
    return set(found.values_list("flag_id", flat=True))


def views_of(user: User, project: Project) -> QuerySet[SavedView]:
    return SavedView.objects.filter(project=project).seen_by(user)


def default_view(user: User, project: Project) -> SavedView | None:
    return views_of(user, project).filter(default_for=user).first()


def _at_stage(project: Project, flags: QuerySet[Flag], stage: str, now: datetime) -> QuerySet[Flag]:
    seen = stages_of(project, list(flags.prefetch_related(_with_configurations())), now=now)
    return flags.filter(pk__in=[pk for pk, one in seen.items() if one.lifecycle.stage == stage])


def _with_configurations() -> "Prefetch[str]":
    return Prefetch(
        "configurations",
        FlagConfiguration.objects.select_related("environment").order_by(
            "environment__position", "environment_id"
        ),
    )


def refuse_moved(flag: Flag, environment: Environment) -> None:
    """Two things never move one flag at once. Raises Invalid, which names the other."""
    mover = moved_in(flag.project).get((environment.pk, flag.key))
    if mover is not None:
        advice = _("Let it end, or roll it back.")
        raise Invalid({"": f"{mover.words} {advice}"})
