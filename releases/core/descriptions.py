from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _, gettext_lazy, ngettext

from flags.delivery.users import UserCount
from releases.core import check_words, exposures, quantities
from releases.core.models import Release, State
from releases.engine.checks import ONE_NUMBER
from releases.engine.decisions import Cause
from releases.engine.plans import Plan, Strategy
from releases.engine.steps import Batches, Earlier, Step, Work
from releases.telemetry.points import MOST_SERIES
from releases.telemetry.reading import Warned

Hold = Mapping[str, Any]


def metrics_words(warned: Warned) -> str:
    text = (
        _(
            "Several processes of version {version} send metrics to {environment} as one instance, "
            "so some of their requests may be missing. Give each process its own "
            "service.instance.id."
        )
        if warned.is_shared
        else _(
            "An instance of version {version} sends more than {most} series of requests to "
            "{environment}; the rest is not counted. Leave out attributes with many values, such "
            "as user ids."
        )
    )
    most, place = f"{MOST_SERIES:,}", warned.environment.name
    return text.format(version=warned.version, environment=place, most=most)


def users_words(users: UserCount | None) -> str:
    if users is None:
        return _("The number of users is unknown: no evaluator has reported any since yesterday.")
    text = (
        _("Client keys, with which anybody can make up users, asked for {n} since {day} (UTC).")
        if users.by_client
        else _("Server keys asked for {n} users since {day} (UTC).")
    )
    return text.format(n=quantities.about(users.count), day=f"{users.since:%Y-%m-%d}")


def cohorts_words(release: Release) -> str:
    """Whether checks tell what cohorts report from what the share does."""
    if release.service_id:
        return _("Their results count with the rest: reports by version do not say who got it.")
    return _(
        "What is reported of them by evaluation context counts at their own step alone, and "
        "apart from then on; by variant it counts with the rest."
    )


def step_name(release: Release, number: int) -> str:
    """What a step is called: “5 %”, “deploy”, or “canary cohorts”."""
    return step_words(release.parsed_plan.all_steps[number])


def step_words(step: Step) -> str:
    if step.work is Work.DEPLOY:
        return _("deploy")
    if step.work is Work.RETIRE:
        return _("stop the old version")
    if step.work is Work.SYNTHETIC:
        return _("tagged requests")
    if step.work is Work.BATCH:
        return ", ".join(step.instances)
    return quantities.percent(step.share) if step.share else _("canary cohorts")


def strategy_sentences(plan: Plan) -> Iterator[str]:
    """What a plan does beside giving shares."""
    works = [step.work for step in plan.steps]
    if Work.DEPLOY in works:
        yield _("It is deployed first, where nobody gets it yet.")
    if plan.has_tagged:
        yield _(
            "Before any share, tagged (synthetic) requests alone get it, and are counted apart."
        )
    for step in plan.steps:
        if step.work is Work.BATCH:
            yield _("It replaces what {names} run.").format(names=", ".join(step.instances))
    if plan.batches is not None:
        yield _earlier_words(plan.batches)
    if Work.RETIRE in works:
        yield _("In the end the old version is stopped; from then on there is no rollback.")


def pin_sentences(router: Mapping[str, Any]) -> Iterator[str]:
    """What becomes of visits that began before the share rises; empty where they are not pinned."""
    if pin_s := router.get("pin_s"):
        text = _("Visits that began on the stable version keep it for {time} more at each step.")
        yield text.format(time=quantities.duration(pin_s))


def _earlier_words(batches: Batches) -> str:
    keeps = batches.earlier is Earlier.KEEP
    floor = ngettext(
        "At least {n} other instance stays in service.",
        "At least {n} other instances stay in service.",
        batches.floor,
    ).format(n=batches.floor)
    failing = _("A batch that fails is restored; batches before it keep the new version.")
    if not keeps:
        failing = _("When a batch fails, it and all batches before it are restored.")
    return f"{floor} {failing}"


def confirm_words(release: Release) -> str:
    """What a person is to do, and then confirm."""
    step, wanted = release.present, release.wanted
    names = {"version": release.version, "old": release.stable.version if release.stable else ""}
    if release.parsed_plan.strategy is Strategy.ROLLING:
        names["names"] = ", ".join(step.instances)
        if wanted["back"]:
            return _("Bring back what {names} and the batches before ran.").format(**names)
        return _("Replace what {names} run by {version}.").format(**names)
    if step.is_routed or wanted["back"]:
        share = " + ".join([quantities.percent(int(wanted["share"])), *wanted["cohorts"]])
        return _("Set its share to {share} where traffic is routed.").format(share=share)
    names["place"] = release.place_of("stable" if step.work is Work.RETIRE else "new")
    if step.work is Work.RETIRE:
        return _("Stop the old version {old}.").format(**names)
    if names["place"]:
        return _("Deploy {version} to {place}.").format(**names)
    return _("Deploy {version} where nobody gets it yet.").format(**names)


def hold_words(release: Release, hold: Hold) -> str:
    about, wanting = str(hold.get("about") or ""), int(hold.get("wanting") or 0)
    texts = {
        Cause.REGRESSION: _(
            "The check “{about}” fails. Roll back, or dismiss this failure with a reason."
        ),
        Cause.NO_DATA: _no_data(release, about, wanting),
        Cause.CHECK_ERROR: _(
            "The check “{about}” could not be measured. The release continues as soon as it can be."
        ),
        Cause.DEADLINE: _("It took longer than its plan allows. Promote it, or roll back."),
        Cause.FOREIGN: _("{about} Set it back, retry the step, or roll back."),
        Cause.ROUTER_AWAY: _("The router does not answer: {about}. It is retried automatically."),
        Cause.SAMPLE_RATIO: _of_users(release, Cause.SAMPLE_RATIO),
        Cause.BOTH_ARMS: _of_users(release, Cause.BOTH_ARMS),
        Cause.FREEZE: _("The freeze {about} is in force. The release continues when it is over."),
        Cause.STOPPED: "{about}",
        Cause.GATE: _("Its plan has a gate here. Promote it to continue."),
        Cause.CONFIRM: _("{about} Then confirm it here."),
        Cause.PAUSED: _("It is paused. Resume it to continue."),
        Cause.NOT_BEFORE: _("It begins at {about}."),
        Cause.PROBLEM: "{about}",
        Cause.DEPLOYMENT: _("The deployment failed: {about}. Retry the step, or roll back."),
        Cause.DEPLOYER_AWAY: _("The deployer does not answer: {about}. It is retried."),
        Cause.FLOOR: _("{about} The release continues when there are."),
        Cause.GROUP: "{about}",
    }
    said = texts[Cause(hold["cause"])].format(about=about, n=wanting)
    return " ".join(filter(None, [said, _detail(release, hold, about)]))


def _of_users(release: Release, cause: Cause) -> str:
    numbers = exposures.words(release).replace("{", "{{").replace("}", "}}")
    texts = {
        Cause.SAMPLE_RATIO: _("Users do not come in the shares that are set, so nothing compares."),
        Cause.BOTH_ARMS: _("Users see both versions, so nothing compares."),
    }
    return f"{texts[cause]} {numbers} {_('Find out why, then promote, retry or roll back.')}"


def _detail(release: Release, hold: Hold, about: str) -> str:
    """What a check said of why it has no number."""
    if hold["cause"] not in (Cause.NO_DATA, Cause.CHECK_ERROR):
        return ""
    return str(release.checks.get(about, {}).get("detail") or "")


def _tagged_wanting(wanting: int) -> str:
    return ngettext(
        "The check “{about}” needs {n} more tagged request; this release's page says how to send "
        "one.",
        "The check “{about}” needs {n} more tagged requests; this release's page says how to send "
        "them.",
        wanting,
    )


def _no_data(release: Release, about: str, wanting: int) -> str:
    state = release.checks.get(about, {})
    checks = release.parsed_plan.checks
    if any(one.key == about and one.kind in ONE_NUMBER for one in checks):
        return _("The check “{about}” has no data yet. The release continues once it has.")
    if "windows" in (state.get("numbers") or {}):
        return _("The check “{about}” needs values of 5 windows of each version to be judged.")
    if wanting and release.present.work is Work.SYNTHETIC:
        return _tagged_wanting(wanting)
    if not wanting:
        return _(
            "The check “{about}” cannot be judged yet: too few errors or requests, or its limit "
            "lies between two bounds of the histograms that are sent."
        )
    text = ngettext(
        "The check “{about}” needs {n} more request before it can be judged.",
        "The check “{about}” needs {n} more requests before it can be judged.",
        wanting,
    )
    if expected := state.get("expected_at"):
        at = f"{datetime.fromisoformat(expected):%H:%M}"
        return f"{text} {_('Expected about {at} UTC.').format(at=at)}"
    return text


def proof_words(release: Release) -> str:
    """Whether it is shown that it can go back: “Can go back: yes, in 4 s.” Empty where nobody
    asked for that."""
    if not release.parsed_plan.proof_of_return:
        return ""
    took = release.proof.get("took_s")
    if release.proof.get("phase") == "up_again" and took is None:
        return _("Rollback test: not confirmed by any evaluator.")
    if took is None and release.proof:
        return _("Rollback test: running.")
    if took is None:
        is_ahead = release.step <= release.parsed_plan.first and not release.is_over
        return _("Rollback test: not done yet.") if is_ahead else _("Rollback test: not done.")
    return _("Rollback test: passed, in {time}.").format(time=quantities.duration(max(1, took)))


def outcome_words(release: Release) -> str:
    said, reason = _outcome(release), str(release.because.get("reason") or "")
    return f"{said.removesuffix('.')}: {reason}" if reason else said


def _with_group(release: Release) -> str:
    text = {
        State.ROLLING_BACK: _("Being rolled back with its group, because of {about}."),
        State.ABORTED: _("Aborted with its group, because of {about}."),
    }.get(State(release.state), _("Rolled back with its group, because of {about}."))
    return text.format(about=release.because["about"])


def _outcome(release: Release) -> str:
    if release.because.get("cause") == Cause.GROUP:
        return _with_group(release)
    if release.state in (State.ROLLING_BACK, State.ROLLED_BACK):
        return _taken_back(release)
    texts = {
        State.SUCCEEDED: _("Succeeded, promoted early.") if release.promoted else _("Succeeded."),
        State.ABORTED: _("Aborted by {by}."),
        State.SUPERSEDED: _("Superseded by release {about}."),
        State.FAILED: _("Failed: {about}") if release.because.get("about") else _("Failed."),
    }
    names = {name: release.because.get(name, "") for name in ("by", "about")}
    return texts.get(State(release.state), "").format(**names)


# What took it back by its plan, beside a check that fails.
_AS_PLANNED = {
    Cause.NO_DATA: gettext_lazy("the check “{about}” had too little data to be judged"),
    Cause.CHECK_ERROR: gettext_lazy("the check “{about}” could not be measured"),
    Cause.DEADLINE: gettext_lazy("it took longer than its plan allows"),
    Cause.FREEZE: gettext_lazy("the freeze {about} is in force"),
    Cause.SAMPLE_RATIO: gettext_lazy("users did not come in the shares that were set"),
    Cause.BOTH_ARMS: gettext_lazy("users saw both versions"),
    Cause.DEPLOYMENT: gettext_lazy("the deployment failed: {about}"),
}


def _taken_back(release: Release) -> str:
    because = release.because
    if "cause" not in because:
        by = _("Rolled back by {by}.") if release.is_over else _("Being rolled back by {by}.")
        return by.format(by=because.get("by", ""))
    why = _AS_PLANNED.get(because["cause"])
    if why is not None:
        by_plan = (
            _("Rolled back as its plan says: {why}.")
            if release.is_over
            else _("Being rolled back as its plan says: {why}.")
        )
        return by_plan.format(why=why.format(about=because["about"]))
    (check,) = (one for one in release.parsed_plan.checks if one.key == because["check"])
    said = check_words.value_words(check, float(because.get("value") or 0), because)
    text = (
        _("Rolled back by the check “{key}”: {said}. Allowed: {limit}.")
        if release.is_over
        else _("Being rolled back by the check “{key}”: {said}. Allowed: {limit}.")
    )
    return text.format(
        key=check.key, said=said.removesuffix("."), limit=check_words.limit_words(check)
    )
