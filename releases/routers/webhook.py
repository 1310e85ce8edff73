"""Routing by a webhook: Argo, a job of CI or a cloud's API does what it is told, and says what is.

We POST one JSON object and want one back::

    {"action": "start", "execution": "12.1.1", "fence": 41, "share": 25.0, "cohorts": [],
     "version": "2.0", "stable": "1.9", "service": "checkout", "environment": "production",
     "state": {…}}                                   ->   {"share": 25.0, "state": {…}}

``start`` wants the share to be made so, ``abort`` the same on the way back, and ``poll`` only asks
what is so. ``share`` in the answer is what is so now, in percent: while it is another than wanted,
we ask again. Where it was so, and something else is said three times, each within a minute of the
last, the release is held: until it stays so for a minute, or people have it told anew. ``state`` is
the other side's own and is given back the next time.

``terminate`` ends what an execution still does, where the release goes on without it: its step was
left, or the release is taken back or superseded, before the answer was the wanted share. It undoes
nothing. It goes out beside other calls, before or after the next ``start`` or ``abort``, which
never wait for it; any 2xx is enough of an answer, and anything else is tried again for ten minutes.

Any of them may come again, after a crash of ours: the execution and the share say whether there is
anything to do. One with a lower fence than was seen of that release comes too late, but for a
``terminate``, which is about its own execution and no other; one that is not known is done with.

``X-Aviary-Signature: t=<Unix seconds>,v1=<hex>`` is HMAC-SHA256 over ``<t>.<body>``.
"""

import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Any, Final

import orjson
from django.conf import settings

from portal.lib import outbound
from releases.engine.steps import WHOLE
from releases.routers import Told, Wanted
from releases.routers.signing import signature

TIMEOUT_S: Final = 5.0
_MOST_STATE = 4096


@dataclass(frozen=True, slots=True)
class Call:
    """What is said besides what is wanted: who asks, for what, and for which attempt."""

    url: str
    secret: str
    execution: str
    fence: int
    about: dict[str, str]
    state: dict[str, Any]


def secret_for(project: str, service: str, environment: str) -> str:
    """What signs the calls for one service in one environment; it changes with SECRET_KEY."""
    name = f"webhook:{project}/{service}/{environment}".encode()
    return hmac.new(settings.SECRET_KEY.encode(), name, hashlib.sha256).hexdigest()


def ask(call: Call, wanted: Wanted, *, acts: bool) -> tuple[Told, dict[str, Any]]:
    """Say what is wanted where the other side is to act, else ask what is so; returns what it says
    and its new state. One that is away, or answers nonsense, says so in ``Told.away``."""
    action = ("abort" if wanted.back else "start") if acts else "poll"
    asked = {"share": wanted.share / 1000, "cohorts": list(wanted.cohorts)}
    try:
        return _read(post(call, action, asked), wanted)
    except outbound.OutboundError as error:
        return Told(away=str(error)), call.state


def terminate(call: Call) -> None:
    """Say that an execution is to end where it is. Raises OutboundError where nobody took that."""
    post(call, "terminate", {})


def post(call: Call, action: str, asked: dict[str, Any]) -> bytes:
    """One signed call; returns what is answered. Raises OutboundError."""
    said = {"action": action, "execution": call.execution, "fence": call.fence}
    body = orjson.dumps({**said, **asked, **call.about, "state": call.state})
    answer = outbound.post(
        call.url,
        body,
        content_type="application/json",
        headers={"X-Aviary-Signature": signature(call.secret, body, int(time.time()))},
        networks=settings.OUTBOUND_NETWORKS,
        timeout_s=TIMEOUT_S,
    )
    return answer.body


BAD_STATE: Final = "the state in its answer is no object of at most 4 KiB"


def is_state(state: object) -> bool:
    if not isinstance(state, dict):
        return False
    told = orjson.dumps(state)
    return len(told) <= _MOST_STATE and rb"\u0000" not in told  # no database keeps that


def _read(body: bytes, wanted: Wanted) -> tuple[Told, dict[str, Any]]:
    try:
        found = orjson.loads(body)
        share = found["share"]
        state = found.get("state") or {}
    except (ValueError, TypeError, KeyError, AttributeError):
        return Told(away="its answer is no object with a share"), {}
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 100:
        return Told(away="the share in its answer is no percentage"), {}
    if not is_state(state):
        return Told(away=BAD_STATE), {}
    # It is told the cohorts with every call; who serves them it does not say.
    return Told(round(share * WHOLE / 100), wanted.cohorts), state
