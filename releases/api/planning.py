"""What comes before a release: plan templates, a preview, and which strategy suits."""

from typing import Any

from django.db.models import Manager
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from flags.models import Flag
from portal.access.api.scope import holder_of, project_of
from portal.access.models import Environment, Project
from portal.approvals.freezes.descriptions import frozen_sentence
from portal.approvals.freezes.selectors import freezes_in_force
from portal.approvals.selectors import policies_wanting
from portal.lib import clock
from portal.lib.api.endpoints import answer, answer_page, choice, find, text
from portal.lib.api.shapes import (
    MOMENT,
    NUMBER,
    OBJECT,
    OBJECTS,
    SWITCH,
    TEXT,
    TEXTS,
    WHOLE,
    PageShape,
    Shape,
)
from portal.lib.api.views import ApiView, operation, query
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from releases.api.policies import APPLIED, applied
from releases.api.releases import DRAFT, read_draft
from releases.api.services import ARTEFACT, TAG
from releases.catalogue.models import Service, ServiceSetup
from releases.catalogue.selectors import setup_of
from releases.core.drafts import possible_strategies
from releases.core.planning import Preview, preview
from releases.core.routes import moved_by
from releases.engine.advice import MATRIX, advise
from releases.engine.plans import Strategy
from releases.engine.policies import Moved
from releases.engine.steps import Work
from releases.policies import demands, templates
from releases.policies.models import PlanTemplate

NEW_TEMPLATE = Shape(
    "NewPlanTemplate",
    {"name": TEXT("Without one its key.", optional=True, maxLength=200), "plan": OBJECT()},
)
TEMPLATE = Shape(
    "PlanTemplate",
    {
        "key": TEXT(),
        "name": TEXT(),
        "plan": OBJECT("With every field that plans have."),
        "updated_at": MOMENT(),
        "updated_by": TEXT(),
    },
    "A plan that a team keeps, for the next release to take.",
)
TEMPLATES = PageShape("PlanTemplatePage", "plan_templates", TEMPLATE.many())


class TemplateList(ApiView):
    @operation("list_plan_templates", TAG, TEMPLATES)
    def get(self, request: Request, project: str) -> Response:
        """A page of plan templates, in order of their keys."""
        rows = PlanTemplate.objects.filter(project=project_of(request, project))
        return answer_page(request, TEMPLATES, rows, by="key")


class TemplateDetail(ApiView):
    @operation("read_plan_template", TAG, TEMPLATE)
    def get(self, request: Request, project: str, template: str) -> Response:
        """A plan that the team keeps."""
        return answer(TEMPLATE.dump(_template_of(request, project, template)))

    @operation("save_plan_template", TAG, TEMPLATE, body=NEW_TEMPLATE)
    def put(self, request: Request, project: str, template: str) -> Response:
        """Keep a plan under this key. Releases that took an earlier one keep what they took."""
        own, body = project_of(request, project), NEW_TEMPLATE.read(request.data)
        stored = templates.put_template(
            project=own,
            key=template,
            name=body.get("name", template),
            plan=body["plan"],
            intent=Intent(holder_of(request).actor),
        )
        return answer(TEMPLATE.dump(stored))

    @operation("delete_plan_template", TAG)
    def delete(self, request: Request, project: str, template: str) -> Response:
        """Forget a plan. Releases that took it keep what they took."""
        found = _template_of(request, project, template)
        templates.delete_template(template=found, intent=Intent(holder_of(request).actor))
        return Response(status=204)


def _template_of(request: Request, project: str, key: str) -> PlanTemplate:
    own = project_of(request, project)
    return find(PlanTemplate.objects.filter(project=own).select_related("project"), key=key)


PREVIEW_STEP = Shape(
    "PreviewStep",
    {
        "name": TEXT(),
        "work": TEXT("What it does.", of="step.work.value", enum=[one.value for one in Work]),
        "share": NUMBER("In percent.", of=lambda row: row.step.share / 1000),
        "starts_s": WHOLE("Seconds after the start, without holds and gates."),
        "ends_s": WHOLE(),
        "gate": SWITCH("Whether people have to let it go on.", of="step.gate"),
        "users": WHOLE(
            "About how many users it reaches, by the targeting keys that were asked for since "
            "yesterday; null where that is unknown.",
            nullable=True,
        ),
    },
)


def _checks_of(preview: Preview) -> list[dict[str, Any]]:
    return [{**check.document, "from": origin} for check, origin in preview.checks]


PREVIEW = Shape(
    "ReleasePreview",
    {
        "plan": OBJECT("With every field that plans have.", of="draft.plan.document"),
        "router": OBJECT(of="draft.router"),
        "steps": PREVIEW_STEP.many(),
        "checks": OBJECTS("Each with where it comes from.", of=_checks_of),
        "template": TEXT("The plan template that this plan is; or empty.", of="draft.template"),
        "policies": APPLIED.many(of=lambda one: applied(one.draft.ruling)),
        "cohorts": TEXTS("Who is in each cohort now, one sentence each."),
        "remarks": TEXTS("What would not work as asked, one sentence each."),
        "needs_approval": SWITCH("Whether people have to agree before it starts."),
        "freezes": TEXTS("What would keep it from starting now, one sentence each."),
        "stable": ARTEFACT.one("What would be stable.", nullable=True),
        "active": WHOLE(
            "The number of the release that moves there now.", nullable=True, of="active.pk"
        ),
    },
)


class ReleasePreview(ApiView):
    keeps_answers = False

    @operation("preview_release", TAG, PREVIEW, body=DRAFT)
    def post(self, request: Request, project: str) -> Response:
        """What would come of a release, step by step. Nothing is stored."""
        place, body = read_draft(request, project, DRAFT)
        found = preview(project=place.project, environment=place, document=body)
        policies = policies_wanting([place], turns_off=False)
        frozen = freezes_in_force([place], clock.database_now())
        return answer(
            PREVIEW.dump(
                found,
                needs_approval=bool(policies),
                freezes=[frozen_sentence(one) for one in frozen],
            )
        )


ADVICE = Shape(
    "ReleaseAdvice",
    {
        "strategy": TEXT("What suits.", enum=[one.value for one in Strategy], nullable=True),
        "instead_of": TEXT("What the guide names, where that cannot be had; or empty."),
        "reason": TEXT(),
        "answers": OBJECT(
            "What can be asked: the answers to each concern, and what the guide names for them."
        ),
        "policies": APPLIED.many("What policies want, whichever strategy is chosen."),
    },
)


class ReleaseAdvice(ApiView):
    @operation(
        "read_release_advice",
        TAG,
        ADVICE,
        parameters=[
            query("concern", "What matters most.", enum=[*MATRIX]),
            query("answer", "One of the answers to it."),
            query("service", "What is released, by its key: then with the policies that name it."),
            query("flag", "Or the flag that is rolled out, by its key."),
        ],
    )
    def get(self, request: Request, project: str) -> Response:
        """The strategy that the deployment guide names; what there is to ask without a concern."""
        own = project_of(request, project)
        concern = choice(request, "concern", MATRIX)
        found = {"strategy": None, "instead_of": "", "reason": "", "answers": MATRIX}
        reply = choice(request, "answer", MATRIX.get(concern, {}))
        if bool(concern) != bool(reply):
            raise Invalid({"answer": _("Send a concern and one of its answers.")})
        place, about = holder_of(request).environment, _about(request, own)
        setup = setup_of(about, place) if isinstance(about, Service) else None
        if concern:
            found |= _advice(concern, reply, possible_strategies(setup))
        ruling = demands.ruling_on(own, _moved(place, about, setup))
        return answer(ADVICE.dump(None, **found, policies=applied(ruling)))


def _moved(place: Environment, about: Service | Flag | None, setup: ServiceSetup | None) -> Moved:
    if about is None:
        return Moved(place.key)
    return moved_by(place, about, setup.router if setup else {})


def _about(request: Request, project: Project) -> Service | Flag | None:
    """What a query names. Raises Invalid for an unknown key."""
    known: dict[str, Manager[Service] | Manager[Flag]] = {
        "service": project.services,
        "flag": project.flags,
    }
    for name, rows in known.items():
        if key := text(request, name):
            found = rows.filter(key=key).first()
            if found is None:
                raise Invalid({name: _("There is none of this key.")})
            return found
    return None


def _advice(concern: str, reply: str, possible: frozenset[str]) -> dict[str, str]:
    advice = advise(concern, reply, possible=possible)
    named = advice.instead_of or advice.strategy
    text = _("{concern}, {answer}: the deployment guide names {strategy}.")
    reason = text.format(concern=_plain(concern), answer=_plain(reply), strategy=_plain(named))
    if advice.instead_of:
        more = _("This service is not set up for that; {strategy} comes closest.")
        reason += " " + more.format(strategy=_plain(advice.strategy))
    return {"strategy": advice.strategy, "instead_of": advice.instead_of, "reason": reason}


def _plain(name: str) -> str:
    return name.replace("_", " ")
