"""Setting haproxy up as a router: on the page, through the API, and what is refused."""

from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from portal.access.models import Environment, Project, User
from portal.lib.env import SettingError, haproxies
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from releases.catalogue import services
from releases.catalogue.models import Service, ServiceSetup
from tests.releases.web.looking import plain, send, text
from tests.support.people import acting
from tests.support.releasing import a_service, a_setup

SETUP = "/p/shop/service/checkout/setup/development"
FORM = {
    "version": "0",
    "router.kind": "haproxy",
    "haproxy.haproxy": "edge, west",
    "haproxy.by": "map",
    "haproxy.places[0]": "blue",
    "haproxy.places[1]": "green",
    "haproxy.baseline": "",
    "haproxy.map": "/etc/haproxy/aviary.map",
    "haproxy.key": "shop",
    "haproxy.backend": "shop",
    "haproxy.servers[0]": "s1, s2",
    "haproxy.servers[1]": "n1",
    "haproxy.servers[2]": "",
    "rollback_config": "",
    "reason": "First setup",
}
BY_MAP: dict[str, Any] = {
    "kind": "haproxy",
    "haproxy": ["edge", "west"],
    "places": ["blue", "green"],
    "map": "/etc/haproxy/aviary.map",
    "key": "shop",
}
BY_WEIGHTS: dict[str, Any] = {
    "kind": "haproxy",
    "haproxy": ["edge"],
    "places": ["blue", "green"],
    "backend": "shop",
    "servers": {"blue": ["s1", "s2"], "green": ["n1"]},
}


@pytest.fixture
def checkout(shop: Project, settings: Settings) -> Service:
    settings.HAPROXY = {"edge": "/run/edge.sock", "west": "10.0.0.7:9999"}
    return a_service(shop)


def stored() -> Any:
    return ServiceSetup.objects.get().router


def test_a_router_by_a_map__is_saved_said_in_words_and_comes_back(
    checkout: Service, alice_client: Client
) -> None:
    saved = send(alice_client, SETUP, **FORM)
    assert saved.headers["HX-Redirect"] == "/p/shop/service/checkout/"
    assert stored() == BY_MAP
    send(alice_client, SETUP, **FORM | {"haproxy.pin_s": "30", "version": "1"})
    assert stored() == BY_MAP | {"pin_s": 1800}
    form = " ".join(alice_client.get(SETUP).content.decode().split())
    assert 'name="haproxy.pin_s" value="30"' in form
    send(alice_client, SETUP, **FORM | {"version": "2"})
    assert stored() == BY_MAP
    page = text(alice_client, "/p/shop/service/checkout/")
    sentence = "Route users by haproxy edge, west, by the entry shop of the map /etc/haproxy/aviary"
    assert sentence in page
    form = " ".join(alice_client.get(SETUP).content.decode().split())
    assert 'name="haproxy.haproxy" value="edge, west"' in form
    assert 'name="haproxy.places[1]" value="green"' in form


def test_a_router_by_weights__says_that_it_shares_requests(
    checkout: Service, alice_client: Client
) -> None:
    by_weights = {"haproxy.by": "weights", "haproxy.haproxy": "edge"}
    send(alice_client, SETUP, **FORM | by_weights)
    assert stored() == BY_WEIGHTS
    page = text(alice_client, "/p/shop/service/checkout/")
    assert "Route requests, not users, by haproxy edge" in page
    assert "blue (s1, s2) and green (n1)" in page
    form = " ".join(alice_client.get(SETUP).content.decode().split())
    assert 'name="haproxy.servers[0]" value="s1, s2"' in form
    more = {"haproxy.baseline": "base", "haproxy.servers[2]": "b1", "version": "1"}
    send(alice_client, SETUP, **FORM | by_weights | more)
    assert stored()["servers"]["base"] == ["b1"]
    assert "Send a part of them to base" in text(alice_client, "/p/shop/service/checkout/")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"haproxy.haproxy": "edge, east"}, "The setting AVIARY_HAPROXY names no haproxy east"),
        ({"haproxy.haproxy": ""}, "Give at least one."),
        ({"haproxy.places[1]": ""}, "Give a text of 1 to 100 characters."),
        ({"haproxy.places[1]": "blue"}, "Name each of them once."),
        ({"haproxy.places[1]": "gr een"}, "Use letters, digits and . _ : - only."),
        ({"haproxy.baseline": "green"}, "Give the baseline a place of its own."),
        ({"haproxy.key": "shop; set map a b c"}, "Use letters, digits and . _ : - only, at most"),
        ({"haproxy.map": "/etc/a b"}, "path as haproxy"),
        ({"haproxy.by": "weights", "haproxy.servers[1]": "s1"}, "Name each server in one place"),
        ({"haproxy.by": "weights", "haproxy.servers[1]": ""}, "Give at least one."),
        ({"haproxy.by": "weights", "haproxy.backend": ""}, "Give a text of 1 to 100 characters."),
        ({"haproxy.by": "weights", "haproxy.baseline": "base"}, "Give at least one."),
    ],
)
def test_what_is_wrong_in_the_form__is_said_beside_its_field(
    checkout: Service, alice_client: Client, changes: dict[str, str], said: str
) -> None:
    refused = send(alice_client, SETUP, **FORM | changes)
    assert said in plain(refused, 422)
    assert "See the fields below" in plain(refused, 422)
    assert not ServiceSetup.objects.exists()


@pytest.mark.parametrize(
    ("router", "path"),
    [
        ({**BY_MAP, "backend": "shop"}, "router"),
        ({"kind": "haproxy", "haproxy": ["edge"], "places": ["a", "b"]}, "router"),
        ({**BY_WEIGHTS, "servers": {"blue": ["s1"]}}, "router.servers.green"),
        ({**BY_WEIGHTS, "servers": {**BY_WEIGHTS["servers"], "red": ["r"]}}, "router.servers.red"),
        ({**BY_WEIGHTS, "servers": []}, "router.servers"),
        ({**BY_WEIGHTS, "servers": {"blue": "s1", "green": ["n1"]}}, "router.servers.blue"),
        ({**BY_WEIGHTS, "servers": {n: ["s"] for n in "abcd"}}, "router.servers"),
        ({**BY_MAP, "places": ["blue", "green", "red"]}, "router.places"),
        ({**BY_MAP, "haproxy": "edge"}, "router.haproxy"),
        ({**BY_MAP, "haproxy": ["east"]}, "router.haproxy[0]"),
        ({**BY_MAP, "key": "a@b"}, "router.key"),
        ({**BY_MAP, "map": "a\nb"}, "router.map"),
        ({**BY_MAP, "cookie": "uid"}, "router.cookie"),
    ],
)
def test_a_document_that_is_wrong__is_refused_at_its_field(
    checkout: Service, development: Environment, alice: User, router: Any, path: str
) -> None:
    with pytest.raises(Invalid) as refused:
        services.put_setup(
            service=checkout,
            environment=development,
            document={"router": router},
            intent=Intent(acting(alice), "try"),
        )
    assert path in refused.value.problems


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (BY_MAP, {**BY_MAP, "haproxy": ["west"]}),
        (BY_WEIGHTS, {**BY_WEIGHTS, "servers": {"blue": ["s9"], "green": ["s2"]}}),
    ],
)
def test_two_services__do_not_share_an_entry_or_a_server(
    checkout: Service, development: Environment, alice: User, first: Any, second: Any
) -> None:
    a_setup(checkout, development, router=first)
    other = a_service(development.project, "search")

    def put(router: Any) -> None:
        services.put_setup(
            service=other,
            environment=development,
            document={"router": router},
            intent=Intent(acting(alice), "try"),
        )

    with pytest.raises(Invalid, match="checkout is routed by this already"):
        put(second)
    put({**BY_MAP, "key": "search"})
    put({**BY_WEIGHTS, "backend": "search"})


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("", {}),
        (
            "edge=/run/haproxy.sock, west=10.0.0.7:9999",
            {"edge": "/run/haproxy.sock", "west": "10.0.0.7:9999"},
        ),
        ("edge=[::1]:9999", {"edge": "[::1]:9999"}),
        ("edge=haproxy.example.com:9999", {"edge": "haproxy.example.com:9999"}),
    ],
)
def test_the_site_list__names_sockets_and_addresses(
    monkeypatch: pytest.MonkeyPatch, given: str, found: dict[str, str]
) -> None:
    monkeypatch.setenv("AVIARY_HAPROXY", given)
    assert haproxies("AVIARY_HAPROXY") == found


@pytest.mark.parametrize(
    "given",
    [
        "edge",
        "edge=",
        "/run/haproxy.sock",
        "edge=haproxy.sock",
        "edge=127.0.0.1",
        "edge=127.0.0.1:0",
        "edge=127.0.0.1:65536",
        "Edge=/run/haproxy.sock",
        "edge=/a,edge=/b",
        "edge=http://127.0.0.1:80",
    ],
)
def test_a_malformed_site_list__stops_the_start(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("AVIARY_HAPROXY", given)
    with pytest.raises(SettingError, match="AVIARY_HAPROXY must look like edge=/run"):
        haproxies("AVIARY_HAPROXY")
