"""What is known of a release at an instant, for the engine to decide by."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _

from flags.models import FlagConfiguration
from portal.approvals.freezes.descriptions import frozen_sentence
from portal.approvals.freezes.selectors import freezes_in_force
from portal.audit import selectors as audit
from releases.checks import Found, Subject
from releases.core import (
    comparisons,
    exposures,
    lockstep,
    outside_routers,
    pins,
    quantities,
    transitions,
)
from releases.core.models import Measurement, Release, State
from releases.core.transitions import TICK
from releases.engine.checks import COMPARING, ONE_NUMBER, TESTED, Check, Kind, Trouble
from releases.engine.comparisons import effective
from releases.engine.decisions import Action, Decision, Seen, Situation, Traffic
from releases.engine.plans import InFreeze, Reaction
from releases.engine.steps import Work
from releases.engine.verdicts import Judgement, Measured, Probes, Verdict, judge
from releases.routers import Told, Wanted, flag as flag_router, lies_outside
from releases.telemetry.reading import Whose

# Without outcomes and changes nothing happens to it but the end of its step or a freeze.
IDLE = timedelta(seconds=30)
MOMENT = timedelta(seconds=1)


def subject_of(release: Release) -> Subject:
    kind = "service" if release.service_id else "flag"
    return Subject(
        release.environment,
        kind,
        release.about.key,
        release.version,
        whose=_whose(release),
        address=release.deployer.get("addresses", {}).get(release.place_of("new"), ""),
        began=release.started_at,
    )


def _whose(release: Release) -> Whose:
    if release.present.work is Work.SYNTHETIC:
        return Whose.TAGGED
    return Whose.USERS if release.present.share else Whose.COHORTS


def told_of(release: Release, answer: Told | None) -> Told:
    """What is so: as whoever was asked said; of a flag's traffic, what our database says."""
    if release.router["kind"] != "flag":
        assert answer is not None
        return answer
    now = told_now(release)
    if answer is None:
        return now
    away = answer.away or now.away
    told = replace(answer, share=now.share, cohorts=now.cohorts, is_off=now.is_off, away=away)
    return replace(told, version=now.version)


def told_now(release: Release) -> Told:
    rows = FlagConfiguration.objects.filter(
        environment=release.environment,
        flag__key=release.router["flag"],
        flag__project=release.project,
    )
    found = rows.first()
    if found is None:
        return Told(away=_("its flag is gone"))
    told = flag_router.told(found.document, flag_router.route_of(release.router))
    return replace(told, version=found.version)


def judged(release: Release, found: Found, at: datetime) -> dict[str, Seen]:
    """Each check with what it says now. ``release.checks`` becomes that as the release keeps it,
    and what is new of it is stored: a row for each answer of a probe, and for other checks one
    where the numbers are others."""
    seen, states, rows = {}, {}, []
    comparisons.keep(release, found)
    for planned in release.parsed_plan.checks_at(release.step):
        check = effective(planned, release.router)
        last = release.checks.get(check.key, {})
        if check.key in found.idle:
            states[check.key] = {"idle": True}
            continue
        probe = found.probes.get(check.key)
        if probe is not None:
            rows.append(_measurement(release, check, at, probe.is_good, probe.detail))
        if check.kind is Kind.HTTP:
            one = _judge_anew(check, _probes(release, check, rows, at), last, is_new=bool(probe))
        elif check.key in found.measured:
            one = _judge_anew(check, found.measured[check.key], last, is_new=True)
        else:
            one = _as_before(check, last)
        is_asked = probe is not None or (bool(check.url) and check.key in found.measured)
        state = _state_of(one, last, at, is_asked=is_asked)
        state |= _expected(release, one, at)
        every_s = getattr(found.measured.get(check.key), "every_s", None)
        state["every_s"] = last.get("every_s") if every_s is None else every_s
        if check.kind is not Kind.HTTP and any(last.get(n) != state[n] for n in _NUMBERS):
            rows.append(_row(release, check, at, state))
        seen[check.key], states[check.key] = one, state
    Measurement.objects.bulk_create(rows)
    release.checks = states
    return seen


_NUMBERS = ("verdict", "value", "requests", "errors", "numbers", "detail")


def _row(release: Release, check: Check, at: datetime, state: Mapping[str, Any]) -> Measurement:
    numbers = {name: state[name] for name in _NUMBERS}
    where = {"release": release, "step": release.step, "check_key": check.key}
    return Measurement(at=at, **where, **numbers)


def _measurement(
    release: Release, check: Check, at: datetime, is_good: bool, detail: str
) -> Measurement:
    return Measurement(
        release=release,
        step=release.step,
        check_key=check.key,
        at=at,
        verdict=Verdict.PASSED if is_good else Verdict.FAILED,
        requests=1,
        errors=0 if is_good else 1,
        detail=detail[:300],
    )


def _probes(release: Release, check: Check, new: Sequence[Measurement], at: datetime) -> Probes:
    assert release.entered_at is not None
    since = max(release.entered_at, at - timedelta(seconds=check.window_s))
    stored = release.measurements.filter(check_key=check.key, at__gte=since).order_by("at", "pk")
    failed = [errors > 0 for errors in stored.values_list("errors", flat=True)]
    failed += [one.errors > 0 for one in new if one.check_key == check.key]
    flaps = sum(one != following for one, following in pairwise(failed))
    return Probes(len(failed), sum(failed), flaps)


def _judge_anew(check: Check, measured: Measured, last: Mapping[str, Any], *, is_new: bool) -> Seen:
    judgement = judge(check, measured)
    failures = int(last.get("failures", 0))
    if is_new:
        failures = failures + 1 if judgement.verdict is Verdict.FAILED else 0
    # A failure that was set aside stays so until the check passes once; evidence began anew then,
    # so that where it fails once more, that is another failure.
    goes_on = judgement.verdict is not Verdict.PASSED
    if check.kind in TESTED:
        goes_on = judgement.verdict is Verdict.FAILED
    dismissed = bool(last.get("dismissed")) and goes_on
    return Seen(check, judgement, failures, dismissed)


def _as_before(check: Check, last: Mapping[str, Any]) -> Seen:
    """What a check that was not due said last; before it was ever asked that is nothing."""
    judgement = Judgement(
        Verdict(last.get("verdict", Verdict.NO_DATA)),
        last.get("value"),
        last.get("requests", 0),
        last.get("errors", 0),
        last.get("wanting", 0 if check.kind in ONE_NUMBER else 1),
        last.get("numbers", {}),
        last.get("detail", ""),
    )
    return Seen(check, judgement, last.get("failures", 0), bool(last.get("dismissed")))


def _state_of(
    one: Seen, last: Mapping[str, Any], at: datetime, *, is_asked: bool
) -> dict[str, Any]:
    judgement = one.judgement
    return {
        "verdict": judgement.verdict.value,
        "value": judgement.value,
        "requests": judgement.requests,
        "errors": judgement.errors,
        "wanting": judgement.wanting,
        "numbers": dict(judgement.numbers),
        "detail": judgement.detail[:300],
        "failures": one.failures,
        "dismissed": one.dismissed,
        "at": at.isoformat(),
        "asked_at": at.isoformat() if is_asked else last.get("asked_at"),
    }


def _expected(release: Release, one: Seen, at: datetime) -> dict[str, Any]:
    """When what is still wanting will have come, at the rate of the last minutes of this version;
    ``too_slow`` where its window will never hold that much."""
    check, judgement = one.check, one.judgement
    if not judgement.wanting or release.entered_at is None or check.url:
        return {}
    over_s = (at - release.entered_at).total_seconds()
    here = judgement.numbers.get("here")
    seen = min(here[0], here[2]) if here else judgement.requests
    if not here:
        over_s = min(over_s, check.window_s)
    if not seen or over_s <= 0:
        return {}
    if not here and seen / over_s * check.window_s < check.minimum_requests:
        return {"too_slow": True}
    comes_at = at + timedelta(seconds=judgement.wanting * over_s / seen)
    return {"expected_at": comes_at.isoformat()}


def may_move(release: Release, found: Found, at: datetime) -> bool:
    """Whether a tick that measured this may move traffic. If not, it locks no more than the row."""
    plan = release.parsed_plan
    if plan.proof_of_return and not release.proof:
        return True
    if lockstep.way_back(release) is not None:
        return True
    if release.entered_at is None or release.state in (State.PLANNED, State.ROLLING_BACK):
        return True
    if plan.in_freeze is InFreeze.RETURN or plan.deadline_s:
        return True
    if Reaction.ROLL_BACK in (plan.on[Trouble.SAMPLE_RATIO], plan.on[Trouble.BOTH_ARMS]):
        return True
    if release.state != State.SUCCEEDED and release.soaked_at and at >= release.soaked_at:
        return True
    if any(not one.is_good for one in found.probes.values()) or pins.are_due(release, at):
        return True
    checks = {check.key: check for check in plan.checks_at(release.step)}
    verdicts = (judge(checks[key], one).verdict for key, one in found.measured.items())
    return any(verdict in (Verdict.FAILED, Verdict.ERROR) for verdict in verdicts)


def next_look(release: Release, decision: Decision, at: datetime) -> datetime:
    """When a release is to be looked at again, if nothing makes it sooner: outcomes that come and
    changes of its flag do."""
    watched = release.state == State.SUCCEEDED
    busy = decision.action is not Action.STAY or bool(decision.holds)
    if release.entered_at is None or lies_outside(release.router) or (busy and not watched):
        return at + TICK
    plan, soonest = release.parsed_plan, at + IDLE
    if watched and release.watch_until:
        soonest = min(soonest, release.watch_until)
    elif release.soaked_at and release.soaked_at > at:
        soonest = min(soonest, release.soaked_at)
    elif not watched:
        soonest = at + TICK
    if release.group_id or any(check.kind in (*COMPARING, Kind.ALERTS) for check in plan.checks):
        # A bucket settles, whether or not another outcome comes; an alert may come during a look;
        # and the troubles of others of its group are its own.
        soonest = min(soonest, at + TICK)
    for check in plan.checks_at(release.step):
        if check.url:
            asked = release.checks.get(check.key, {}).get("asked_at")
            last = datetime.fromisoformat(asked) if asked else release.entered_at
            wait = check.period_s if asked else check.initial_delay_s
            soonest = min(soonest, max(at + MOMENT, last + timedelta(seconds=wait)))
    unpins = pins.next_end(release) or soonest
    return min(soonest, max(at + MOMENT, unpins))


def situation_of(release: Release, seen: list[Seen], told: Told, at: datetime) -> Situation:
    plan, wanted = release.parsed_plan, Wanted.of(release.wanted)
    before = _before(release)
    traffic = told.traffic(wanted, reached=release.entered_at is not None, before=before)
    if release.router["kind"] == "flag" and traffic is Traffic.LOST:
        traffic = Traffic.FOREIGN  # a database forgets nothing: somebody set it back
    if release.is_by_hand and traffic in (Traffic.LOST, Traffic.FOREIGN):
        traffic = Traffic.NOT_YET  # it is as a person last confirmed, and wanted otherwise since
    strays = outside_routers.strays(release, at)
    if (strays and not told.away) or outside_routers.is_moved(release, told):
        traffic = Traffic.FOREIGN  # whatever it says at this instant
    frozen = freezes_in_force([release.environment], at)
    if release.overrides_freeze:
        plan = replace(plan, in_freeze=InFreeze.FINISH)
    return Situation(
        plan,
        release.step,
        release.entered_at,
        traffic,
        seen,
        worked_s=_worked_s(release, at),
        paused=release.paused_at is not None,
        gate_passed="passed" in release.wanted,
        frozen=next((one.freeze.name for one in frozen if not one.freeze.stops_line), ""),
        stopped=next((frozen_sentence(one) for one in frozen if one.freeze.stops_line), ""),
        about_traffic=told.why_not or _who_moved(release, told, strays, traffic),
        of_users=exposures.troubles(release),
        lags=lockstep.lags_behind(release, at),
    )


def _before(release: Release) -> Told | None:
    if release.router["kind"] == "haproxy":
        return None  # it says itself whether it was restarted
    if release.before is None or release.router["kind"] != "flag":
        return Told(0, Wanted.of(release.wanted).cohorts)
    return flag_router.told(release.before, flag_router.route_of(release.router))


def _worked_s(release: Release, at: datetime) -> float:
    """How long the steps have taken beyond what they soak, without pauses."""
    if release.started_at is None:
        return 0.0
    until = release.paused_at or at
    soaked = sum(step.soak_s for step in release.parsed_plan.all_steps[: release.step + 1])
    return (until - release.started_at).total_seconds() - release.rested_s - soaked


def _who_moved(
    release: Release, told: Told, strays: Mapping[str, Any] | None, traffic: Traffic
) -> str:
    """What somebody else made of the router, and who the history says it was; or that it does not
    keep anything. Empty where it is as it should be."""
    if traffic is not Traffic.FOREIGN:
        return ""
    if strays:
        text = _("The router does not keep its share: {asked} set, {told} reported, {n} times.")
        asked, share = (quantities.percent(one["share"]) for one in (release.wanted, strays))
        return text.format(asked=asked, told=share, n=strays["times"])
    if told.said:
        return told.said
    who = _last_hand(release) or _("Somebody")
    if told.is_off:
        return _("{person} turned the flag off.").format(person=who)
    if told.share is None:
        return _("{person} changed who gets what by hand.").format(person=who)
    text = _("{person} set the share to {percent} % by hand.")
    return text.format(person=who, percent=f"{told.share / 1000:g}")


def _last_hand(release: Release) -> str:
    events = audit.events_of(
        release.project, subject_kind="flag", subject=release.router.get("flag", "")
    )
    mine = transitions.engine_of(release).label
    found = events.filter(environment=release.environment.key).exclude(actor=mine)
    latest = found.values_list("actor", flat=True)[:1]
    return next(iter(latest), "")
