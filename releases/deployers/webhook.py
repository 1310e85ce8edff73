"""Deploying by a webhook: a job of CI, a cloud's API, or ``releases.deployers.processes``.

We POST one JSON object, signed as a router's calls are (releases.routers.webhook), and want one
back::

    {"action": "start", "order": "deploy", "place": "green", "instances": [],
     "artefact": {"version": "2.0", "digest": "sha256:…", "kind": "image", "commit": "…"},
     "execution": "12.0.1", "fence": 41, "version": "2.0", "stable": "1.9", "service": "checkout",
     "environment": "production", "state": {…}}
                                  ->   {"status": "working", "detail": "2 of 3 up", "state": {…}}

``start`` wants the order carried out, and ``poll`` only asks how far it is; ``status`` is
``working``, ``done`` or ``failed``, with a ``detail`` for people. While it works, we ask again.
The order is ``deploy``; ``retire``, to stop what runs at the place; or ``restore``, to bring back
what ran on these instances before, where nothing was released before. ``place`` is where the router
sends the version (the variant of a flag, a colour), and ``instances`` which ones are replaced, in a
rolling release; either is empty where it is not known.

Any call may come again, after a crash of ours: an execution that is known is not begun anew.
``terminate`` ends what an execution still does, as for routers.
"""

from typing import Any

import orjson

from portal.lib import outbound
from releases.deployers import Order, Progress
from releases.routers.webhook import BAD_STATE, Call, is_state, post

_MOST_DETAIL = 300


def ask(call: Call, order: Order, *, acts: bool) -> tuple[Progress, dict[str, Any]]:
    """Say what is to be done where the other side is to act, else ask how far it is; returns that
    and its new state. One that is away, or answers nonsense, says so in ``Progress.away``."""
    try:
        return _read(post(call, "start" if acts else "poll", order.document))
    except outbound.OutboundError as error:
        return Progress(away=str(error)), call.state


def _read(body: bytes) -> tuple[Progress, dict[str, Any]]:
    try:
        found = orjson.loads(body)
        status = found["status"]
        state, detail = found.get("state") or {}, found.get("detail") or ""
    except (ValueError, TypeError, KeyError, AttributeError):
        return Progress(away="its answer is no object with a status"), {}
    if status not in ("working", "done", "failed"):
        return Progress(away="the status in its answer is none of working, done and failed"), {}
    if not is_state(state):
        return Progress(away=BAD_STATE), {}
    said = str(detail).replace("\0", "")[:_MOST_DETAIL]
    failed = (said or "it failed, and does not say why") if status == "failed" else ""
    return Progress(status == "done", failed, detail=said), state
