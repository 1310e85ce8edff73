"""Which key opens what of the evaluator. An address missing here fails."""

import time

import httpx
import pytest

from flags.evaluator.app import Evaluator
from flags.evaluator.counters import Counters
from flags.evaluator.memory import Memory
from flags.evaluator.streams import Streams
from flags.evaluator.tickets import Tickets
from tests.flags.evaluator.publisher import Key, flag, new_key
from tests.flags.evaluator.shop import Shop

HOLDERS = ("nobody", "server", "client", "admin", "neighbour", "revoked", "expired")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SINGLE, BULK = "/ofrep/v1/evaluate/flags/{key}", "/ofrep/v1/evaluate/flags"
# The flag is internal: a public key does not see it. The neighbour's is another environment.
REFUSED = {"nobody": 401, "admin": 403, "revoked": 401, "expired": 401}
OPEN = dict.fromkeys(HOLDERS, 200)

TABLE = {
    SINGLE: ("POST", REFUSED | {"server": 200, "client": 404, "neighbour": 404}),
    BULK: ("POST", REFUSED | {"server": 200, "client": 200, "neighbour": 200}),
    # A key is no ticket: what a ticket opens is tested with the streams.
    "/ofrep/v1/events": ("GET", dict.fromkeys(HOLDERS, 401)),
    # A neighbour's server key gets the neighbour's file.
    "/flagd/v1/flags.json": (
        "GET HEAD",
        REFUSED | {"server": 200, "client": 403, "neighbour": 200},
    ),
    # An evaluation is no batch.
    "/api/v1/telemetry": ("POST", REFUSED | {"server": 400, "client": 400, "neighbour": 400}),
    # Nor are they metrics or spans, but what is not known in JSON is ignored.
    "/v1/metrics": ("POST", REFUSED | {"server": 200, "client": 403, "neighbour": 200}),
    "/v1/traces": ("POST", REFUSED | {"server": 200, "client": 403, "neighbour": 200}),
    "/health": ("GET HEAD", OPEN),
    "/ready": ("GET HEAD", OPEN),
    "/metrics": ("GET HEAD", OPEN),
}


def test_every_address_of_the_evaluator_stands_in_the_table() -> None:
    memory, counters = Memory(), Counters()
    streams = Streams(memory, counters, Tickets(b"k"))
    assert set(TABLE) == set(Evaluator(memory, counters, streams).routes)


@pytest.fixture
def keys(shop: Shop, neighbour: Shop, client_key: Key) -> dict[str, Key | None]:
    """A key for each holder, and a flag that only the shop's own server key sees."""
    found = {
        "nobody": None,
        "server": shop.key,
        "client": client_key,
        "admin": new_key("admin"),
        "neighbour": neighbour.key,
        "revoked": new_key(),
        "expired": new_key(expires_at=time.time() - 1),
    }
    published = [found[one] for one in ("client", "admin", "revoked", "expired")]
    shop.open(flag("internal"), keys=tuple(one for one in published if one))
    neighbour.open(flag("theirs"))
    revoked = found["revoked"]
    assert revoked
    shop.publish({revoked.field: None})
    return found


@pytest.mark.parametrize("route", TABLE)
def test_every_key_is_answered_as_the_table_says(
    shop: Shop, keys: dict[str, Key | None], route: str
) -> None:
    taken, expected = TABLE[route]
    for method in METHODS:
        found = {holder: ask(shop, method, route, key) for holder, key in keys.items()}
        statuses = {holder: one.status_code for holder, one in found.items()}
        closed = dict.fromkeys(HOLDERS, 405)
        assert statuses == (expected if method in taken.split() else closed), method
        told = {holder for holder, one in found.items() if '"key":"internal"' in one.text}
        assert route == SINGLE or told == (
            {"server"} if (route, method) == (BULK, "POST") else set()
        )


def ask(shop: Shop, method: str, route: str, key: Key | None) -> httpx.Response:
    headers = key.headers if key else {}
    address = route.replace("{key}", "internal")
    return shop.evaluator.http.request(method, address, json={"context": {}}, headers=headers)
