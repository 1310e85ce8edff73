from django.urls import reverse

from flags.transfer.importers import ImportPlan
from flags.transfer.importing import change_builder, service
from portal.access.models import Environment
from portal.approvals.handlers import (
    Document,
    Handler,
    Merged,
    Side,
    Sides,
    Target,
    Wanted,
)
from portal.approvals.models import ChangeRequest
from portal.lib.merging import Side as Whose


def _find_place(target: Target) -> Environment:
    return target.project.environments.get(key=target.subject)


def _import(environment: Environment, wanted: Wanted) -> None:
    service.import_flags(
        environment=environment,
        plan=ImportPlan.from_document(wanted.document["plan"]),
        mode=wanted.document["mode"],
        dry_run=False,
        base_version=wanted.base_version,
        intent=wanted.intent,
    )


def _versions(environment: Environment, _wanted: Document) -> Side:
    """The versions alone: the flags themselves are too many to show side by side."""
    places = environment.project.environments.order_by("pk")
    return Side(",".join(f"{place.key}:{place.version}" for place in places), {})


def _merge_imports(environment: Environment, request: ChangeRequest, sides: Sides) -> Merged:
    """The file overwrites what it names, so what of that was changed meanwhile is a clash."""
    plan = ImportPlan.from_document(sides.mine["plan"])
    names, others = change_builder.split_off_changed(plan, environment, request)
    chosen = plan if sides.prefer is Whose.MINE else others
    return Merged({**sides.mine, "plan": chosen.document}, names)


IMPORT = Handler(
    find=_find_place,
    current=_versions,
    apply=_import,
    page=lambda target: reverse("flag-list", args=[target.project.key]),
    merge=_merge_imports,
)
