from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.http import QueryDict
from django.utils.translation import gettext as _, gettext_lazy

from portal.lib.errors import Invalid
from portal.lib.numbers import read_percent, read_whole
from portal.lib.web.pages import Fields, read_form, texts
from releases.engine.advice import MATRIX, Advice, advise
from releases.engine.checks import Trouble
from releases.engine.plans import MOST_STEPS, Plan, Strategy, read_plan, usual_plan
from releases.engine.steps import CURVES, Batches, Step, Work
from releases.policies.models import PlanTemplate
from releases.web import check_form, tagged_form
from releases.web.check_form import minutes, number_in, seconds_in
from releases.web.labels import EARLIER, IN_FREEZE, REACTIONS, STRATEGIES, TROUBLES, WAYS_BACK

Form = dict[str, Any]
MOST_OFFERED: Final = 500  # as many services as a project has
FIELDS: Final[Fields] = {
    **texts("environment", "service", "version", "digest", "commit", "flag", "variant"),
    **texts("concern", "answer", "strategy", "why", "template", "when", "not_before", "reason"),
    **texts("template_key", "template_name"),
    **texts("curve", "first", "count", "soak"),
    **texts(
        "in_freeze",
        "return_strategy",
        "proof_of_return",
        "return_within_s",
        "watch_s",
        "deadline_s",
    ),
    "on": texts(*Trouble),
    "steps": [texts("share", "soak_s", "gate")],
    **texts("smoke", "smoke_gate", "bake", "retire"),
    **tagged_form.FIELDS,
    "batches": texts("size", "soak_s", "floor", "earlier"),
    "checks": [check_form.FIELDS],
}
CONCERNS: Final = {
    "zero_downtime_required": gettext_lazy("No downtime is allowed"),
    "downtime_acceptable": gettext_lazy("Some downtime is acceptable"),
    "testing_focus": gettext_lazy("The point is to test something"),
}
ANSWERS: Final = {
    "high_traffic": gettext_lazy("Traffic is high"),
    "medium_traffic": gettext_lazy("Traffic is medium"),
    "low_traffic": gettext_lazy("Traffic is low"),
    "simple_applications": gettext_lazy("The application is simple"),
    "complex_applications": gettext_lazy("The application is complex"),
    "user_validation": gettext_lazy("How users take it"),
    "feature_testing": gettext_lazy("One feature"),
    "performance_testing": gettext_lazy("Performance"),
}


def strategy_name(name: str) -> str:
    return str(STRATEGIES[Strategy(name)])


def new_form(query: QueryDict) -> Form:
    named = ("environment", "service", "version", "digest", "flag", "variant")
    form = {name: query.get(name, "") for name in named}
    strategy = Strategy.FEATURE_FLAG if form["flag"] else Strategy.CANARY
    common: Form = {"strategy": strategy.value, "when": "now", "cohorts": [], "checks": []}
    guess = {"curve": "exponential", "first": "5", "count": "4", "soak": "5"}
    usual = usual_plan(strategy)
    return form | common | guess | of_strategies(usual) | tagged_form.NEW | with_plan(usual)


def sent_form(sent: QueryDict) -> Form:
    form = {"steps": [], "checks": [], "on": {}, "batches": {}} | read_form(sent.items(), FIELDS)
    usual = of_strategies(usual_plan(Strategy.CANARY))
    shown = {"smoke": ("smoke", "smoke_gate", "bake", "retire"), "batches.size": ("batches",)}
    for field, names in shown.items():
        if field not in sent:  # another strategy was chosen until now
            form |= {name: usual[name] for name in names}
    return form | {"cohorts": sent.getlist("cohorts")}


def with_plan(plan: Plan) -> Form:
    document = plan.document
    steps = [_row(step) for step in document["steps"] if "work" not in step]
    way = {"steps": steps} if plan.strategy in _BY_SHARES else of_strategies(plan)
    return {
        **way,
        **tagged_form.with_plan(plan),
        "cohorts": document["cohorts"],
        "on": document["on"],
        "in_freeze": document["in_freeze"],
        "return_within_s": minutes(document["return_within_s"]),
        "watch_s": minutes(document["watch_s"]),
        "deadline_s": minutes(document["deadline_s"]),
    }


_BY_SHARES: Final = (Strategy.CANARY, Strategy.FEATURE_FLAG, Strategy.IN_PLACE)


def of_strategies(plan: Plan) -> Form:
    """What the form asks for a plan without steps to fill in; the usual, of other strategies."""
    blue = plan if plan.strategy is Strategy.BLUE_GREEN else usual_plan(Strategy.BLUE_GREEN)
    works = {step.work: step for step in blue.steps}
    smoke, bake = works.get(Work.DEPLOY, Step(0)), works[Work.ROUTE]
    batches = (plan.batches or Batches()).document
    return {
        "smoke": minutes(smoke.soak_s),
        "smoke_gate": "1" if smoke.gate else "",
        "bake": minutes(bake.soak_s),
        "retire": "1" if Work.RETIRE in works else "",
        "batches": {
            **{name: str(one) for name, one in batches.items()},
            "soak_s": minutes(batches["soak_s"]),
        },
    }


def templated(found: PlanTemplate) -> Form:
    plan = read_plan(found.plan)
    return with_plan(plan) | {
        "strategy": plan.strategy.value,
        "checks": [check_form.row_of(check.document) for check in plan.checks],
        "return_strategy": plan.return_strategy.value,
        "proof_of_return": "1" if plan.proof_of_return else "0",
    }


def _row(step: Mapping[str, Any]) -> dict[str, str]:
    share, soak = f"{step['share']:g}", minutes(step["soak_s"])
    return {"share": share, "soak_s": soak, "gate": "1" if step["gate"] else ""}


def rearranged(form: Form, do: str) -> Form:
    """The form after one of its buttons. Raises Invalid for a curve without usable numbers."""
    what, _colon, place = do.partition(":")
    steps = list(form["steps"])
    if what == "add-step" and len(steps) < MOST_STEPS:
        steps.append({"share": "", "soak_s": form.get("soak", ""), "gate": ""})
    elif what == "remove-step" and place.isdigit():
        steps = [row for number, row in enumerate(steps) if number != int(place)]
    elif what == "curve":
        steps = _curve(form)
    return form | {"steps": steps, "checks": check_form.rearranged(form["checks"], do)}


def _curve(form: Form) -> list[dict[str, str]]:
    first, count = read_percent(form.get("first", "")), read_whole(form.get("count", ""))
    if not first or first >= 100 or count is None or not 2 <= count <= MOST_STEPS:
        text = _("Give a first share above 0 % and below 100 %, and 2 to {most} steps.")
        raise Invalid.of("curve", text, most=MOST_STEPS)
    build = CURVES.get(form.get("curve", ""), CURVES["linear"])
    shares = build(int(first * 1000), count)
    if len(set(shares)) < count:
        raise Invalid({"curve": _("That many steps would repeat a share. Use fewer steps.")})
    soak = form.get("soak", "")
    rows = [{"share": f"{share / 1000:g}", "soak_s": soak, "gate": ""} for share in shares]
    return [*rows[:-1], rows[-1] | {"soak_s": "0"}]


def advice_of(form: Form, possible: frozenset[str]) -> Advice | None:
    concern, answer = form.get("concern", ""), form.get("answer", "")
    if answer not in MATRIX.get(concern, {}):
        return None
    return advise(concern, answer, possible=possible)


def advice_words(advice: Advice) -> str:
    text = _("Advised: {strategy}.")
    names = {"strategy": strategy_name(advice.strategy)}
    if advice.instead_of:
        text = _("Advised: {strategy}, since this service is not set up for {named}.")
        names["named"] = strategy_name(advice.instead_of)
    why = f"{CONCERNS[advice.concern]}; {str(ANSWERS[advice.answer]).lower()}."
    return f"{text.format(**names)} {why}"


def reason_of(form: Form, possible: frozenset[str]) -> str:
    """The reason that is kept; also why another strategy than the advised one was chosen, which
    has to be said. Raises Invalid where it is not."""
    reason, advice = str(form.get("reason", "")).strip(), advice_of(form, possible)
    if form.get("flag") or advice is None or advice.strategy == form.get("strategy"):
        return reason
    why = form.get("why", "").strip()
    if not why:
        raise Invalid({"why": _("Give a reason for not using the advised strategy.")})
    text = _("Strategy {chosen} instead of {advised}: {why}")
    named = {"advised": strategy_name(advice.strategy), "why": why}
    said = text.format(chosen=form["strategy"].replace("_", " "), **named)
    return f"{reason} ({said})" if reason else said


def document_of(form: Form) -> dict[str, Any]:
    document: dict[str, Any] = {"strategy": form.get("strategy", ""), "plan": plan_of(form)}
    if form.get("flag"):
        document |= {"flag": form["flag"], "variant": form.get("variant", "")}
    else:
        given = {name: form.get(name, "").strip() for name in ("version", "digest", "commit")}
        artefact = {name: text for name, text in given.items() if text or name != "commit"}
        document |= {"service": form.get("service", ""), "artefact": artefact}
    if form.get("template"):
        document["template"] = form["template"]
    if form.get("when") == "later":
        document["not_before"] = form.get("not_before", "").strip()
    return document


def plan_of(form: Form) -> dict[str, Any]:
    plan: dict[str, Any] = {
        **_way(form),
        "cohorts": list(form.get("cohorts", ())),
        "checks": [check_form.document_of(row) for row in form["checks"]],
        "on": dict(form["on"]),
    }
    for name in ("in_freeze", "return_strategy"):
        if form.get(name):
            plan[name] = form[name]
    if form.get("proof_of_return"):
        plan["proof_of_return"] = form["proof_of_return"] == "1"
    for name in ("return_within_s", "watch_s", "deadline_s"):
        if form.get(name, "").strip():
            plan[name] = seconds_in(form[name])
    return plan


def _way(form: Form) -> dict[str, Any]:
    """What the strategy of a plan takes."""
    strategy, steps = form.get("strategy"), [_step(row) for row in form["steps"]]
    if strategy == Strategy.IN_PLACE:
        only = steps[0] if len(steps) == 1 else {}
        return {"steps": [{**only, "share": 100}]}
    if strategy == Strategy.BLUE_GREEN:
        gate, retire = form.get("smoke_gate") == "1", form.get("retire") == "1"
        deploy = {"work": "deploy", "soak_s": _seconds(form.get("smoke")), "gate": gate}
        route = {"share": 100, "soak_s": _seconds(form.get("bake"))}
        steps = [deploy, route, *([{"work": "retire"}] if retire else [])]
        return {"steps": tagged_form.with_tagged(form, steps)}
    if strategy == Strategy.ROLLING:
        sent = form["batches"]
        found = {name: number_in(sent[name]) for name in ("size", "floor") if sent.get(name)}
        found["soak_s"] = _seconds(sent.get("soak_s"))
        earlier = {"earlier": sent["earlier"]} if sent.get("earlier") else {}
        return {"steps": [], "batches": found | earlier}
    return {"steps": tagged_form.with_tagged(form, steps)}


def _seconds(minutes: str | None) -> float | int | str:
    text = (minutes or "").strip()
    return seconds_in(text) if text else 0


def _step(row: Mapping[str, str]) -> dict[str, Any]:
    return {
        "share": number_in(row.get("share", "")),
        "soak_s": _seconds(row.get("soak_s")),
        "gate": row.get("gate") == "1",
    }


def moment_words(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


# What the template of a plan shows of its form.


def by_field(errors: Mapping[str, str]) -> dict[str, str]:
    return {path.replace("artefact.", "").replace(".", "_"): text for path, text in errors.items()}


def of_way(errors: Mapping[str, str]) -> dict[str, str]:
    """The problems of a plan by names that templates can look up: ``steps_0_soak_s``."""
    marks = str.maketrans({"[": "_", "]": None, ".": "_"})
    return {path.translate(marks): text for path, text in of_plan(errors).items()}


def of_plan(errors: Mapping[str, str]) -> dict[str, str]:
    return {path.removeprefix("plan."): text for path, text in errors.items()}


def step_inputs(form: Form, errors: Mapping[str, str]) -> list[dict[str, Any]]:
    found = of_plan(errors)
    return [
        {
            "values": row,
            "share_error": found.get(f"steps[{place}].share", ""),
            "soak_error": found.get(f"steps[{place}].soak_s", ""),
        }
        for place, row in enumerate(form["steps"])
    ]


_BESIDE = (
    "key",
    "name",
    "version",
    "digest",
    "commit",
    "variant",
    "why",
    "not_before",
    "curve",
    "typed",
)


def problems_of(form: Form, errors: Mapping[str, str]) -> list[str]:
    shown = {
        f"steps[{n}].{name}" for n in range(len(form["steps"])) for name in ("share", "soak_s")
    }
    shown |= {
        f"checks[{n}].{name}" for n in range(len(form["checks"])) for name in check_form.BESIDE
    }
    shown |= {f"batches.{name}" for name in ("size", "soak_s", "floor")}
    if form.get("strategy") == Strategy.BLUE_GREEN:
        shown |= {"steps[0].soak_s", "steps[1].soak_s"}
    shown |= {*_BESIDE, *tagged_form.BESIDE, *(f"artefact.{name}" for name in _BESIDE)}
    return [text for path, text in errors.items() if path.removeprefix("plan.") not in shown]


def choices(form: Form) -> dict[str, object]:
    answers = MATRIX.get(form.get("concern", ""), {})
    return {
        "concerns": CONCERNS.items(),
        "answers": [(name, ANSWERS[name]) for name in answers],
        "strategies": [(one.value, STRATEGIES[one]) for one in Strategy],
        "earliers": [(one.value, label) for one, label in EARLIER.items()],
        "troubles": [
            (one.value, label, form["on"].get(one.value)) for one, label in TROUBLES.items()
        ],
        "reactions": [(one.value, label) for one, label in REACTIONS.items()],
        "in_freezes": [(one.value, label) for one, label in IN_FREEZE.items()],
        "ways_back": [(one.value, label) for one, label in WAYS_BACK.items()],
        **check_form.CHOICES,
    }
