"""The board, the list of all releases, and what a flag's own page shows of them."""

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.access.models import Environment, Project, User
from portal.lib.journal import Intent
from releases.core import commands
from releases.core.models import Release
from releases.web.listing import MOST_IN_LANE
from tests.releases.web.looking import HTMX, plain, seen_of, send, text, words
from tests.support.people import acting, boolean_flag, create_flag
from tests.support.redis_server import RedisServer
from tests.support.releasing import a_release, let_pass, outcomes, routed_by_flag

# Filters, pages and sums are what a database can change.
pytestmark = pytest.mark.postgresql
BOARD, LIST = "/p/shop/releases/", "/p/shop/releases/all"


@pytest.fixture
def canary(production: Environment, alice: User) -> Release:
    return a_release(routed_by_flag(production), production, alice)


@pytest.fixture
def aborted(staging: Environment, dana: User, alice: User) -> Release:
    made = a_release(routed_by_flag(staging, "search"), staging, dana, version="7.1", start=False)
    return commands.abort(release=made, intent=Intent(acting(alice)))


def test_the_board__says_what_moves_where_and_how_the_last_ones_ended(
    canary: Release, aborted: Release, bob_client: Client
) -> None:
    page = text(bob_client, BOARD)
    production, staging = page.index(" Production "), page.index(" Staging ")
    assert production < page.index("checkout 2.0") < staging
    assert "No release is running here." in page[staging:]
    assert "search 7.1 Staging aborted" in page
    assert "Aborted by alice." in page
    part = bob_client.get(f"{BOARD}?seen={seen_of(bob_client.get(BOARD).content.decode())}")
    assert part.status_code == 204


def test_the_board__of_more_than_a_lane_shows__says_so_and_loses_nothing_that_moves(
    canary: Release, staging: Environment, dana: User, bob_client: Client
) -> None:
    assert canary.service
    planned = a_release(routed_by_flag(staging, "search"), staging, dana, start=False)
    assert canary.service is not None
    waiting = a_release(canary.service, canary.environment, dana, version="3.0", start=False)
    rows = Release.objects.filter(pk=waiting.pk).values()[0] | {"id": None}
    Release.objects.bulk_create(Release(**rows) for _one in range(MOST_IN_LANE))
    page = text(bob_client, BOARD)
    assert page.count("checkout 3.0") == MOST_IN_LANE - 1
    assert page.index("checkout 2.0 running") < page.index("checkout 3.0")
    assert page.index("These are not all.") < page.index(planned.title)
    assert page.count("These are not all.") == 1


def test_the_line__is_stopped_and_lifted_on_the_board_by_who_manages_incidents(
    canary: Release, alice_client: Client, bob_client: Client
) -> None:
    line = f"{BOARD}line/production"
    assert "needs the permission “manage incidents”" in text(bob_client, BOARD)
    assert send(bob_client, line, reason="Because").status_code == 403
    assert "Say what is wrong" in plain(send(alice_client, line, reason=" "), 422)
    assert send(alice_client, line, reason="Payments are down").headers["HX-Redirect"] == BOARD
    page = text(bob_client, BOARD)
    assert "line stopped" in page
    assert "alice has stopped the line in Production: Payments are down." in page
    outcomes(canary, 500)
    let_pass(canary, 61)
    assert "alice has stopped the line" in text(bob_client, f"{BOARD}{canary.pk}/")
    send(alice_client, line, lift="1")
    assert "line stopped" not in text(bob_client, BOARD)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("environment=production", ["checkout"]),
        ("service=search", ["search"]),
        ("state=moving", ["checkout"]),
        ("state=aborted", ["search"]),
        ("person=DAN", ["search"]),
        ("text=7.1", ["search"]),
        ("text=sha256:aaa", ["search", "checkout"]),
        ("text=nothing-like-it", []),
        ("outcome=aborted", ["search"]),
        ("version=2.0", ["checkout"]),
        ("version=2", []),
        ("period=30d", ["search", "checkout"]),
        ("period=30d&environment=production", ["checkout"]),
        ("from=2020-01-01&to=2020-12-31", []),
        ("from=2020-01-01", ["search", "checkout"]),
    ],
)
def test_the_list_and_its_csv__narrow_alike(
    canary: Release, aborted: Release, bob_client: Client, query: str, found: list[str]
) -> None:
    page = bob_client.get(f"{LIST}?{query}", headers=HTMX).content.decode()
    assert [name for name in ("search", "checkout") if f">{name} " in page] == found
    file = bob_client.get(f"/p/shop/releases/export?{query}")
    rows = list(csv.DictReader(io.StringIO(b"".join(file).decode())))
    assert [row["service"] for row in rows] == found
    if "checkout" in found:
        assert (rows[-1]["state"], rows[-1]["share_percent"]) == ("running", "5")


def test_what_cannot_be_looked_for__is_said_and_exports_nothing(
    canary: Release, bob_client: Client
) -> None:
    for query, says in (
        ("from=yesterday", "Write a date like"),
        ("from=2026-02-01&to=2026-01-01", "Choose an end after the start."),
        ("period=9d", "Choose one of"),
        ("outcome=lost", "Choose one of"),
        ("version=" + "x" * 300, "at most 200 characters"),
    ):
        page = text(bob_client, f"{LIST}?{query}")
        assert says in page
        assert "checkout 2.0" not in page
        assert bob_client.get(f"/p/shop/releases/export?{query}").status_code == 400


def test_the_last_30_days__are_one_click_away_and_no_cell_is_a_formula(
    canary: Release, bob_client: Client
) -> None:
    page = bob_client.get(LIST).content.decode()
    (link,) = [one for one in page.split('"') if "period=30d" in one]
    found = bob_client.get(link.replace("&amp;", "&")).content.decode()
    assert "checkout 2.0" in words(found)
    assert 'period=30d"' in bob_client.get("/p/shop/service/checkout/").content.decode()
    Release.objects.update(reason="=HYPERLINK(1)", started_at=F("started_at") - timedelta(days=31))
    assert "checkout 2.0" not in text(bob_client, link.replace("&amp;", "&"))
    file = b"".join(bob_client.get("/p/shop/releases/export")).decode()
    assert '"\'=HYPERLINK(1)"' in file


def test_a_flag__that_routes_a_service__shows_the_release_that_moves_it(
    canary: Release, bob_client: Client
) -> None:
    address = f"{BOARD}of-flag/production/checkout-route"
    panel = plain(bob_client.get(address))
    assert "checkout 2.0 running" in panel
    assert "It routes the service checkout by this flag." in panel
    assert "Roll out with checks" not in panel
    seen = seen_of(bob_client.get(address).content.decode())
    assert bob_client.get(f"{address}?seen={seen}").status_code == 204


def test_a_flag_at_rest__may_be_rolled_out_by_who_edits_flags(
    shop: Project, bob_client: Client, dana_client: Client, charlie_client: Client
) -> None:
    create_flag(shop, boolean_flag("team/dark"))
    address = f"{BOARD}of-flag/production/team/dark"
    offered = dana_client.get(address).content.decode()
    assert 'href="/p/shop/releases/new?flag=team%2Fdark&amp;environment=production"' in offered
    assert "This needs the permission “edit flags”" in plain(bob_client.get(address))
    assert charlie_client.get(address).status_code == 404
    page = dana_client.get("/p/shop/flag/targeting/production/team/dark").content.decode()
    assert f'hx-get="{address}"' in page


def test_the_list_of_flags__marks_those_that_releases_move_until_they_end(
    canary: Release, shop: Project, alice: User, dana_client: Client, redis_server: RedisServer
) -> None:
    flags = "/p/shop/flags/"
    mark = f'href="/p/shop/releases/{canary.pk}/"'
    redis_server.restart_empty()  # versions that another test published are looked into once more
    dana_client.get(flags)  # a session last seen a minute ago is written down once
    with CaptureQueriesContext(connection) as one:
        page = dana_client.get(flags).content.decode()
    assert page.count(mark) == 1  # in the one environment
    assert "Previous page" not in page  # nothing is before the first
    assert f"Release {canary.pk}, checkout 2.0, moves this flag now." in words(page)
    environment = canary.environment
    for name in ("carts", "search"):
        a_release(routed_by_flag(environment, name), environment, alice)
    with CaptureQueriesContext(connection) as three:
        page = dana_client.get(flags).content.decode()
    assert page.count("moves this flag now.") == 3
    assert len(three) == len(one)
    # As one that succeeds: who gets what stays, so that nothing else of the list is another.
    Release.objects.filter(pk=canary.pk).update(state="succeeded", due_at=None)
    drawn = dana_client.get(f"{flags}?seen={seen_of(page)}", headers=HTMX)
    assert drawn.content.decode().count("moves this flag now.") == 2
    assert dana_client.get(f"{flags}?seen={seen_of(drawn.content.decode())}").status_code == 204
