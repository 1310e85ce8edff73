"""What a document asks for becomes a draft: the plan with the checks of all who have a say, and how
it routes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext as _

from flags.models import Flag
from portal.access.models import Environment, Project
from portal.lib.api.shapes import MOMENT
from portal.lib.documents import DocumentError, Reader
from portal.lib.errors import Invalid, refuse
from releases.catalogue.haproxy import takes_out
from releases.catalogue.models import Service, ServiceSetup
from releases.catalogue.reading import read_artefact, valid
from releases.core.routes import moved_by, router_of, router_of_flag
from releases.engine import plans
from releases.engine.checks import Check, Kind, read_checks
from releases.engine.comparisons import effective
from releases.engine.plans import Plan, Strategy, read_plan
from releases.engine.policies import Moved, Ruling
from releases.engine.rollback_config import CHANNELS_THAT_WORK, RollbackConfig, read_rollback_config
from releases.engine.steps import DEPLOY, Work
from releases.policies import demands, templates
from releases.policies.demands import INSTEAD
from releases.policies.models import PlanTemplate
from releases.routers import haproxy, haproxy_map
from releases.routers.haproxy_socket import HaproxyError

Document = Mapping[str, Any]
_FIELDS = frozenset(
    {"service", "flag", "variant", "artefact", "strategy", "plan", "template", "not_before"}
)
_NAMES = ("service", "flag", "variant", "template")


@dataclass(frozen=True, slots=True)
class Draft:
    """A release as it would be: its plan, where each check comes from, who routes and deploys it,
    which template its plan is, and what policies have given it."""

    about: Service | Flag
    artefact: Document | None
    plan: Plan
    router: dict[str, Any]
    origins: dict[str, str]
    channels: tuple[str, ...] = ()
    not_before: datetime | None = None
    remarks: list[str] = field(default_factory=list)
    template: str = ""
    deployer: Document = field(default_factory=dict)
    ruling: Ruling = field(default_factory=lambda: Ruling(Moved("")))


def read_draft(
    project: Project, environment: Environment, document: object, *, goes_back: bool = False
) -> Draft:
    """What a document asks for. Raises Invalid with each field that is wrong, and each in which the
    plan is not what release policies want."""
    if not isinstance(document, Mapping):
        raise Invalid({"": _("Send a JSON object.")})
    unknown = {name[:100]: _("There is no such field.") for name in document if name not in _FIELDS}
    if unknown:
        raise Invalid(unknown)
    names = {name: document[name] for name in _NAMES if name in document}
    refuse({n: _("Send a name.") for n, one in names.items() if not _is_name(one)})
    if bool(document.get("service")) == bool(document.get("flag")):
        raise Invalid({"service": _("Say which service, or which flag, is released.")})
    read = _of_flag if document.get("flag") else _of_service
    draft = read(project, environment, document)
    sent = document.get("plan")
    says = isinstance(sent, Mapping) and "proof_of_return" in sent
    if not (says or "template" in document) and environment.is_production:
        proves = draft.router["kind"] != "manual" and draft.plan.strategy in _PROVING
        draft = replace(draft, plan=replace(draft.plan, proof_of_return=proves))
    moved = moved_by(environment, draft.about, draft.router)
    ruling = demands.ruling_on(project, moved)
    draft = _with_checks_of(ruling, draft)
    key = document.get("template", "")
    template = demands.template_used(project, key, draft.plan, ruling, draft.origins)
    refuse(demands.unmet(draft.plan, template, ruling, goes_back=goes_back))
    return replace(draft, template=template, remarks=[*draft.remarks, *_without_baseline(draft)])


def _without_baseline(draft: Draft) -> list[str]:
    """Which comparisons do less than they say, for want of an equal slice to compare with."""
    text = _(
        "{key} compares with the stable version, for the router has no baseline. That is not "
        "equivalent, so the check can hold the release and not roll it back."
    )
    checks = draft.plan.checks
    found = [one.key for one in checks if effective(one, draft.router) != one]
    return [text.format(key=key) for key in found]


def _with_checks_of(ruling: Ruling, draft: Draft) -> Draft:
    """The draft with the checks of policies, which stand instead of others of the same keys."""
    own = {check.key: check for check in draft.plan.checks}
    given = {check.key: check for check in ruling.checks}
    remarks = [
        _left_out(draft.origins[key]).format(key=key, name=ruling.winners[key].name)
        for key, check in given.items()
        if own.get(key, check) != check
    ]
    checks = tuple((own | given).values())
    origins = {key: demands.origin_of(one.key) for key, one in ruling.winners.items()}
    return replace(
        draft,
        plan=replace(draft.plan, checks=checks),
        origins=draft.origins | origins,
        remarks=[*draft.remarks, *remarks],
        ruling=ruling,
    )


def _left_out(origin: str) -> str:
    if origin in ("plan", INSTEAD):
        return _(
            "The release policy “{name}” gives the check {key}, so the plan's own is left out."
        )
    return _("The release policy “{name}” gives the check {key}, so the service's own is left out.")


def _is_name(value: object) -> bool:
    """Whether a database can look for it."""
    return isinstance(value, str) and "\0" not in value


def _of_service(project: Project, environment: Environment, document: Document) -> Draft:
    key = document["service"]
    service = project.services.filter(key=key).first() if isinstance(key, str) else None
    if service is None:
        raise Invalid({"service": _("There is no such service.")})
    setup = ServiceSetup.objects.filter(service=service, environment=environment).first()
    if setup is None or not setup.router:
        text = _("It has no router in {environment}. Set that up first.")
        raise Invalid({"service": text.format(environment=environment.name)})
    if "variant" in document:
        raise Invalid({"variant": _("Only the release of a flag has one.")})
    if "artefact" not in document:
        raise Invalid({"artefact": _("Say which version, with its digest.")})
    config = read_rollback_config(setup.rollback_config) if setup.rollback_config else None
    service_checks = read_checks(setup.checks)
    plan, origins, remarks = _planned(project, document, service_checks, config)
    artefact = valid(read_artefact, document["artefact"], under="artefact")
    if artefact["version"] in _places(setup.router):
        text = _("The router calls a place {name}; give the version another name.")
        raise Invalid.of("artefact.version", text, name=artefact["version"])
    plan = _deployed(plan, setup)
    remarks += _remarks_on(setup.router, plan) + _uncounted(plan)
    draft = Draft(service, document["artefact"], plan, {}, origins, remarks=remarks)
    draft = replace(draft, deployer=setup.deployer)
    channels = config.channels if config else ()
    router = router_of(service, environment, setup.router)
    when = _not_before(document)
    return replace(draft, router=router, channels=channels, not_before=when)


def _deployed(plan: Plan, setup: ServiceSetup) -> Plan:
    """The plan with what putting the artefact in place takes: batches of the instances, or a step
    that deploys before all others where somebody does."""
    if plan.strategy is not Strategy.ROLLING:
        deploys = any(step.work is Work.DEPLOY for step in plan.steps)
        first = () if deploys or not setup.deployer else (DEPLOY,)
        return replace(plan, steps=(*first, *plan.steps))
    if setup.router["kind"] == "flag":
        text = _("A rolling release replaces instances, so its router cannot be a flag.")
        raise Invalid({"strategy": text})
    instances = setup.deployer.get("instances") or []
    if not instances:
        text = _("The setup of {service} names no instances. Add them to its deployer.")
        raise Invalid.of("strategy", text, service=setup.service.key)
    assert plan.batches is not None
    if not plan.steps:
        plan = replace(plan, steps=plan.batches.steps(instances))
    named = [one for step in plan.steps for one in step.instances]
    if sorted(named) != sorted(instances):
        text = _("Have each instance in one batch: {names}.")
        raise Invalid.of("plan.steps", text, names=", ".join(instances))
    return plan


# Of the others there is nothing to try, or it would be tried on everybody.
_PROVING: Final = (Strategy.CANARY, Strategy.FEATURE_FLAG, Strategy.IN_PLACE)


def possible_strategies(setup: ServiceSetup | None) -> frozenset[str]:
    """The strategies that a service can take as it is set up; all of them where that is unknown."""
    rolls = setup is None or (setup.router["kind"] != "flag" and setup.deployer.get("instances"))
    return frozenset(one.value for one in Strategy if rolls or one is not Strategy.ROLLING)


def _require_plain(plan: Plan) -> None:
    try:
        haproxy_map.require_plain(plan.cohorts)
    except HaproxyError as error:
        raise Invalid({"plan.cohorts": str(error)}) from None


def _remarks_on(router: Document, plan: Plan) -> list[str]:
    """What a router cannot do as one may think. Raises Invalid where it cannot do the plan."""
    if plan.has_tagged and not knows_tagged(router):
        text = _(
            "Its router knows no tagged requests. Leave that step out, or use a flag or a map."
        )
        raise Invalid({"plan.steps": text})
    if router["kind"] == "haproxy" and takes_out(router):
        if plan.strategy is not Strategy.ROLLING:
            text = _("Its router only takes instances out of service. Choose rolling.")
            raise Invalid({"strategy": text})
        return []
    if router["kind"] == "haproxy" and haproxy.routes_users(router):
        _require_plain(plan)
    if router["kind"] != "haproxy" or haproxy.routes_users(router):
        return []
    if plan.cohorts:
        text = _("haproxy's weights know no users. Leave cohorts out, or route by a map.")
        raise Invalid({"plan.cohorts": text})
    return [_("haproxy's weights share requests, not users: a user may get both versions in turn.")]


def knows_tagged(router: Document) -> bool:
    """Whether it can let tagged requests alone in."""
    return router["kind"] == "flag" or (router["kind"] == "haproxy" and "map" in router)


_COUNTING: Final = (Kind.ERROR_RATE, Kind.LATENCY, Kind.NEW_ERROR_TYPES)


def _uncounted(plan: Plan) -> list[str]:
    counts = any(check.kind in _COUNTING for check in plan.checks)
    if counts or not plan.has_tagged:
        return []
    return [_("No check counts tagged requests, so that step passes without any.")]


def _places(router: Document) -> tuple[str, ...]:
    return (*router.get("variants", ()), *router.get("places", ()), router.get("baseline", ""))


def _of_flag(project: Project, environment: Environment, document: Document) -> Draft:
    if "artefact" in document:
        raise Invalid({"artefact": _("A flag has none; say which variant.")})
    flag = project.flags.filter(key=document["flag"], archived_at=None).first()
    if flag is None:
        raise Invalid({"flag": _("There is no such flag.")})
    router = router_of_flag(flag, environment, document.get("variant"))
    plan, origins, remarks = _planned(project, {"strategy": "feature_flag", **document}, (), None)
    remarks += _uncounted(plan)
    return Draft(flag, None, plan, router, origins, (), _not_before(document), remarks)


def _planned(
    project: Project,
    document: Document,
    service_checks: tuple[Check, ...],
    config: RollbackConfig | None,
) -> tuple[Plan, dict[str, str], list[str]]:
    """The plan with the checks of all who have a say; a plan's own stand before others'."""
    sent = _sent_plan(project, document)
    plan = _read("plan", read_plan, sent)
    templates.require_cohorts(project, plan)
    checks, origins = {one.key: one for one in plan.checks}, {}
    origins = dict.fromkeys(checks, "plan")
    remarks = []
    others = [("service", one) for one in service_checks]
    others += [("rollback_config", one) for one in (config.checks if config else ())]
    for origin, check in others:
        check, remark = _probed(check, service_checks)
        remarks += [remark] if remark else []
        if not remark and check.key not in checks:
            checks[check.key], origins[check.key] = check, origin
        elif origins.get(check.key) == "plan" and checks[check.key] != check:
            origins[check.key] = INSTEAD
    plan = replace(plan, checks=tuple(checks.values()))
    if config and "return_strategy" not in sent:
        plan = replace(plan, return_strategy=config.return_strategy)
    remarks += [
        _("{channel}: channel not configured yet, so nobody is told by it.").format(channel=one)
        for one in (config.channels if config else ())
        if one not in CHANNELS_THAT_WORK
    ]
    return plan, origins, remarks


def _probed(check: Check, service_checks: tuple[Check, ...]) -> tuple[Check, str]:
    if check.kind is not Kind.HTTP or check.url:
        return check, ""
    probes = [one for one in service_checks if one.kind is Kind.HTTP]
    if probes:
        return replace(
            probes[0], key=check.key, threshold=check.threshold, window_s=check.window_s
        ), ""
    text = _("{key} cannot be measured: the service has no probe. Add an http check with its url.")
    return check, text.format(key=check.key)


def _sent_plan(project: Project, document: Document) -> dict[str, Any]:
    strategy = document.get("strategy")
    names = [one.value for one in Strategy]
    if strategy not in names:
        raise Invalid.of("strategy", _("Choose one of {names}."), names=", ".join(names))
    sent, kept = document.get("plan", {}), {}
    if not isinstance(sent, Mapping):
        raise Invalid({"plan": _("Send an object.")})
    if "template" in document:
        found = PlanTemplate.objects.filter(project=project, key=document["template"]).first()
        if found is None:
            raise Invalid({"template": _("There is no such template.")})
        kept = found.plan
    if "strategy" in sent and sent["strategy"] != strategy:
        raise Invalid({"plan.strategy": _("It is another one than the release's.")})
    sent = {**kept, **sent}
    if "steps" not in sent:
        sent = {**sent, "steps": plans.usual_plan(Strategy(strategy)).document["steps"]}
    if strategy == Strategy.ROLLING:
        sent = {"batches": {}, **sent}
    return {**sent, "strategy": strategy}


def _not_before(document: Document) -> datetime | None:
    sent = document.get("not_before")
    return None if sent is None else _read("not_before", MOMENT.read, sent)


def _read(path: str, reader: Reader[Any], value: object) -> Any:
    try:
        return reader(value)
    except DocumentError as error:
        under = {one.path: one.message for one in error.under(path)}
        raise Invalid(under) from None
