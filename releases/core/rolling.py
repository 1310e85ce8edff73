"""A rolling release, batch by batch: take its instances out of service, replace what they run, try
it, and put them back.

All of it lies outside of our database, and each part may come again after a crash: what is drained
is drained again, and a deployer knows an execution that it has begun. How far a batch is stands in
the token of its execution. Going back is the same with the artefact of before: first the batch that
was under way, then those before it, as far as the plan says.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils.translation import gettext as _, ngettext

from portal.lib import clock
from portal.runs.failpoints import failpoint
from releases.checks import Probe, probe
from releases.core.models import Release
from releases.core.outside_routers import call_of, may_act, token_of
from releases.deployers import Order, Progress, webhook
from releases.engine.checks import Check, Kind
from releases.engine.steps import Batches, Step
from releases.routers import Told, Wanted, servers
from releases.routers.haproxy_socket import HaproxyError

# How long open connections of an instance are waited for, and how long a new one may take until
# it answers its smoke checks, and until its router sends somebody there.
DRAIN: Final = timedelta(minutes=5)
TRIED: Final = timedelta(minutes=2)
SERVES: Final = timedelta(minutes=2)
BUDGET_S: Final = 5.0
"""A look goes on with the next part of a batch for as long."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch under way: its step, what the deployer is to do with its instances, and since when
    its present part is being done."""

    release: Release
    step: Step
    order: Order
    since: datetime
    state: dict[str, Any]

    @property
    def instances(self) -> tuple[str, ...]:
        return self.step.instances


def ask(release: Release) -> tuple[Told, dict[str, Any]]:
    """How far the batches are, once they are a part further where they may be; and their state."""
    wanted = Wanted.of(release.wanted)
    if release.entered_at is not None and not wanted.back:
        return Told(wanted.share), {}
    if release.is_by_hand:
        return _confirmed(release, wanted), {}
    token = token_of(release)
    is_known = token.get("execution") == release.execution
    state = token if is_known else _first_state(release, token)
    ahead = _ahead(release, wanted, state)
    if not ahead:
        return Told(wanted.share), state
    share = release.parsed_plan.all_steps[release.step - 1].share if release.step else 0
    if not is_known and not may_act(release):
        return Told(share, pending=True), {}
    if not is_known and not wanted.back:
        return _begin(release, share, state)
    progress, state = _work_on(release, ahead[0], state)
    if progress.is_done and wanted.back and len(ahead) > 1:
        progress = replace(progress, is_done=False)
    return _told(wanted.share if progress.is_done else share, progress), state


def _first_state(release: Release, token: dict[str, Any]) -> dict[str, Any]:
    kept = {"out": token["out"]} if "out" in token else {}
    return {"execution": release.execution, "began": bool(token), **kept}


def _begin(release: Release, share: int, state: dict[str, Any]) -> tuple[Told, dict[str, Any]]:
    """Keep that a batch begins, and who of it is out of service before, ahead of all that is done:
    whatever comes in between, the way back knows."""
    known = _kept_out(release, release.step)
    if known is None:
        try:
            known = _out_now(release)
        except HaproxyError as error:
            return Told(share, away=str(error)), {}
    return Told(share, pending=True), {**state, "out": known}


def _out_now(release: Release) -> list[str]:
    if not servers.are_known(release.router):
        return []
    found = servers.states(release.router)
    return [one for one in release.present.instances if one in found and not found[one].is_ready]


def _kept_out(release: Release, number: int) -> list[str] | None:
    """The instances of a step that were out of service before any attempt at it; None where no
    attempt has looked. Nothing turns on what a person turned off."""
    tokens = release.executions.filter(step=number).values_list("token", flat=True)
    return next((token["out"] for token in tokens if "out" in token), None)


def _confirmed(release: Release, wanted: Wanted) -> Told:
    """Of what people do, what they said last."""
    share = release.told.get("share") or 0
    return Told(share, pending=share != wanted.share)


def _told(share: int, progress: Progress) -> Told:
    return Told(
        share,
        away=progress.away,
        pending=not progress.is_done,
        failed=progress.failed,
        waits=progress.waits,
        detail=progress.detail,
    )


def _ahead(release: Release, wanted: Wanted, state: dict[str, Any]) -> list[Step]:
    """The batches that are still to be done, the next one first."""
    steps = release.parsed_plan.all_steps
    if not wanted.back:
        return [] if state.get("done") else [steps[release.step]]
    touched = [step for step in steps[: release.step + 1] if step.share > wanted.share]
    mine = release.executions.filter(step=release.step)  # of all attempts
    began = mine.exclude(reached_at=None, token={}).exists()
    if touched and not state["began"] and not began:
        touched.pop()
    touched.reverse()
    return touched[state.get("done", 0) :]


def _work_on(
    release: Release, step: Step, state: dict[str, Any]
) -> tuple[Progress, dict[str, Any]]:
    """As many parts of a batch as are done at once."""
    until = time.monotonic() + BUDGET_S
    progress = Progress()
    while time.monotonic() < until:
        at = clock.database_now()
        state.setdefault("since", at.isoformat())
        since = datetime.fromisoformat(state["since"])
        batch = Batch(release, step, _order(release, step), since, state)
        part = _PARTS[state.get("part", 0)]
        progress = (_kept_drained(batch) if part in (_deploy, _try) else None) or part(batch)
        if not progress.is_done:
            return progress, state
        state = {**state, "part": state.get("part", 0) + 1, "since": at.isoformat()}
        if state["part"] == len(_PARTS):
            rest = {name: one for name, one in state.items() if name not in _OF_BATCH}
            return progress, {**rest, "done": state.get("done", 0) + 1}
    return replace(progress, is_done=False), state


_OF_BATCH: Final = ("part", "since", "deployer", "tries")


def _order(release: Release, step: Step) -> Order:
    if not release.wanted["back"]:
        assert release.artefact is not None
        return Order("deploy", instances=step.instances, artefact=release.artefact.document)
    if release.stable is None:
        return Order("restore", instances=step.instances)
    return Order("deploy", instances=step.instances, artefact=release.stable.document)


def _drain(batch: Batch) -> Progress:
    """Nobody new gets to its instances, and those who are there are waited for."""
    router = batch.release.router
    if not servers.are_known(router):
        return Progress(is_done=True)
    try:
        found = servers.states(router, batch.instances)
        absent = [name for name in batch.instances if name not in found]
        if absent:
            text = _("The router has no server {names}.")
            return Progress(failed=text.format(names=", ".join(absent)))
        if waits := _below_floor(batch, found):
            return Progress(waits=waits)
        failpoint("before-draining")
        servers.drain(router, [one for one in batch.instances if found[one].is_ready])
        there = sum(found[one].sessions for one in batch.instances if not found[one].is_ready)
        is_drained = not any(found[one].is_ready for one in batch.instances) and not there
    except HaproxyError as error:
        return Progress(away=str(error))
    if is_drained:
        return Progress(is_done=True)
    text = ngettext(
        "{n} connection to {names} is still open.",
        "{n} connections to {names} are still open.",
        there,
    )
    said = text.format(n=there, names=", ".join(batch.instances))
    if clock.database_now() - batch.since > DRAIN:
        return Progress(failed=said)
    return Progress(detail=said)


def _kept_drained(batch: Batch) -> Progress | None:
    """Take its instances out again where the router has forgotten that, as after a reload."""
    router = batch.release.router
    if not servers.are_known(router):
        return None
    try:
        servers.drain(router, batch.instances)
    except HaproxyError as error:
        return Progress(away=str(error))
    return None


def _below_floor(batch: Batch, found: dict[str, servers.Instance]) -> str:
    """Why a batch may not leave now. What goes back never waits for that."""
    batches: Batches | None = batch.release.parsed_plan.batches
    if batches is None or batch.release.wanted["back"]:
        return ""
    others = [name for name, one in found.items() if one.serves and name not in batch.instances]
    if len(others) >= batches.floor:
        return ""
    text = ngettext(
        "Without {names} only {n} instance is in service, and the plan wants {floor}.",
        "Without {names} only {n} instances are in service, and the plan wants {floor}.",
        len(others),
    )
    return text.format(names=", ".join(batch.instances), n=len(others), floor=batches.floor)


def _deploy(batch: Batch) -> Progress:
    deployer = batch.release.deployer
    if deployer.get("kind") != "webhook":
        return Progress(is_done=True)
    failpoint("before-deployer")
    tries = batch.state.get("tries", 0)
    execution = f"{batch.release.execution}.{batch.state.get('done', 0)}"
    execution += f".{tries}" if tries else ""
    call = call_of(batch.release, deployer["url"], execution, batch.state.get("deployer", {}))
    acts = "deployer" not in batch.state
    progress, state = webhook.ask(call, batch.order, acts=acts)
    if progress.failed and batch.release.wanted["back"]:  # on the way back it is begun anew
        batch.state["tries"] = tries + 1
        batch.state.pop("deployer", None)
    elif not progress.away:
        batch.state["deployer"] = state
    failpoint("after-deployer")
    return progress


def _try(batch: Batch) -> Progress:
    """Its smoke checks, asked of each instance, all of which have to pass."""
    checks = [one for one in batch.release.parsed_plan.checks if one.smoke]
    addresses = batch.release.deployer.get("addresses", {})
    bad = list(_bad_probes(checks, batch.instances, addresses))
    if not bad:
        return Progress(is_done=True)
    said = "; ".join(bad)[:300]
    if clock.database_now() - batch.since > TRIED:
        return Progress(failed=said)
    return Progress(detail=said)


def _bad_probes(
    checks: Iterable[Check], instances: Iterable[str], addresses: dict[str, str]
) -> Iterable[str]:
    for check in checks:
        if check.kind is not Kind.HTTP:
            continue
        for instance in instances:
            answer: Probe = probe(check, address=addresses.get(instance, ""))
            if not answer.is_good:
                yield f"{instance}: {answer.detail}"


def _restore(batch: Batch) -> Progress:
    router = batch.release.router
    if not servers.are_known(router):
        return Progress(is_done=True)
    number = batch.release.parsed_plan.all_steps.index(batch.step)
    out = _kept_out(batch.release, number) or ()
    back = [one for one in batch.step.instances if one not in out]
    try:
        servers.ready(router, back)
        found = servers.states(router)
    except HaproxyError as error:
        return Progress(away=str(error))
    missing = [one for one in back if not found[one].serves]
    if not missing:
        return Progress(is_done=True)
    text = _("The router does not send anybody to {names} yet: its checks fail.")
    said = text.format(names=", ".join(missing))
    if clock.database_now() - batch.since > SERVES:
        return Progress(failed=said)
    return Progress(detail=said)


_PARTS: Final[tuple[Callable[[Batch], Progress], ...]] = (_drain, _deploy, _try, _restore)
