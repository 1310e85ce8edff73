"""What people, programs and attackers put into names, addresses and forms."""

import html
import json
import logging

import pytest
from django.test import Client
from django.urls import reverse

from flags.core import configurations, definitions
from flags.models import Flag, FlagConfiguration
from portal.access.models import ApiKey, Environment, Project, User
from portal.access.services import add_member, issue_key
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.support.people import SETTING_UP, boolean_flag
from tests.support.rows import rolled_back

MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"
ON, OFF = {"key": MARKUP, "value": True}, {"key": "off", "value": False}
KEYS = [
    "a/b/c",
    "team.cart.v2",
    "100%25",
    "grün/größe",
    "with space",
    "a?b=c&d#e",
    "new",
    "history/old",
    "targeting/development/x",
    "'quoted\"",
    "🐦",
    "a" * 200,
]


@pytest.fixture
def browser(alice_client: Client) -> Client:
    """Alice's, which answers 500 for what breaks instead of raising it."""
    alice_client.raise_request_exception = False
    return alice_client


def create(project: Project, key: str, **fields: object) -> Flag:
    return definitions.create_flag(
        project=project, document=boolean_flag(key) | fields, intent=Intent(SETTING_UP)
    )


def address(name: str, key: str, environment: str | None = None) -> str:
    place = {"environment": environment} if environment else {}
    return reverse(name, kwargs={"project": "shop", "key": key, **place})


def save_everything_hostile(flag: Flag, environment: Environment) -> None:
    """Rules, targets and reasons with markup in all of them."""
    configuration = FlagConfiguration.objects.get(flag=flag, environment=environment)
    when = {"attribute": MARKUP, "operator": "in", "values": [MARKUP]}
    serve = {
        "split": [{"variant": MARKUP, "weight": 1}, {"variant": "off", "weight": 1}],
        "algorithm": "flagd",
        "seed": MARKUP,
        "bucket_by": MARKUP,
    }
    configurations.save_configuration(
        flag=flag,
        environment=environment,
        document=configuration.document
        | {
            "enabled": True,
            "rules": [{"id": "r", "name": MARKUP, "when": when, "serve": serve}],
            "targets": [{"variant": MARKUP, "keys": [MARKUP]}],
        },
        expected_version=configuration.version,
        intent=Intent(SETTING_UP, reason=MARKUP),
    )


def test_markup_that_was_stored_is_shown_as_text_on_every_page(
    browser: Client, shop: Project, production: Environment
) -> None:
    texts = dict.fromkeys(["name", "description", "owner"], MARKUP)
    variants = [{**ON, "description": MARKUP}, OFF]
    flag = create(shop, MARKUP, tags=[MARKUP], variants=variants, **texts)
    save_everything_hostile(flag, production)
    Project.objects.filter(pk=shop.pk).update(name=MARKUP)
    Environment.objects.filter(pk=production.pk).update(name=MARKUP)
    issue_key(environment=production, kind="server", name=MARKUP, intent=Intent(SETTING_UP))
    pages = [
        "/projects",
        "/p/shop/flags/",
        "/p/shop/keys/",
        "/p/shop/environments/",
        "/p/shop/members/",
        "/p/shop/flags/?search=" + "%3Cscript%3Ealert(1)%3C/script%3E",
        "/p/shop/flags/?tag=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&after=%22%3E%3Cscript%3E",
        address("flag-targeting", MARKUP, "production"),
        address("flag-history", MARKUP),
        address("flag-settings", MARKUP),
        address("flag-archive", MARKUP),
        "/p/shop/keys/new?environment=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        f"/p/shop/keys/{ApiKey.objects.get().selector}/revoke",
    ]
    for page in pages:
        response = browser.get(page)
        text = response.content.decode()
        assert response.status_code == 200, page
        assert "<script>alert" not in text, page
        assert "<img src=x" not in text, page
        assert "'><img" not in text, page
        assert ">49" not in text, page


def test_markup_in_dialogs_and_notices_is_shown_as_text(
    browser: Client, shop: Project, production: Environment
) -> None:
    flag = create(shop, MARKUP, name=MARKUP, variants=[ON, OFF])
    save_everything_hostile(flag, production)
    fields = {"enabled": "1", "reason": MARKUP, "typed": MARKUP, "confirmed": "1", "document": "x"}
    for name in ("flag-switch", "flag-review", "flag-editor", "flag-try", "flag-save"):
        for environment in ("production", "development"):
            response = browser.post(address(name, MARKUP, environment), fields)
            text = response.content.decode()
            assert response.status_code < 500, name
            assert "<script>alert" not in text, name
            assert "<img src=x" not in text, name
    added = browser.post("/p/shop/members/new", {"username": MARKUP, "role": MARKUP})
    assert added.status_code == 422
    assert html.escape("<script>alert(1)") in added.content.decode()


@pytest.mark.parametrize("name", ["flag-switch", "flag-save", "flag-copy", "flag-settings"])
def test_a_form_whose_version_is_no_number__is_a_conflict__and_changes_nothing(
    browser: Client, shop: Project, name: str
) -> None:
    flag = create(shop, "checkout")
    before = list(FlagConfiguration.objects.order_by("pk").values())
    assert flag.version == 1
    fields = {"enabled": "1", "source": "production", "source_version": "1", "state": "1"}
    fields |= {"document": json.dumps(document_of(flag)), "kind": "release"}
    fields |= {"variants[0].key": "on", "variants[0].value": "true"}
    fields |= {"variants[1].key": "off", "variants[1].value": "false"}
    place = None if name == "flag-settings" else "development"
    for version in ("x", "1.0", "-1", "\u0661", "9" * 30, "0" * 17 + "10"):
        answer = browser.post(address(name, "checkout", place), fields | {"version": version})
        assert answer.status_code == 409, version
    assert list(FlagConfiguration.objects.order_by("pk").values()) == before
    flag.refresh_from_db()
    assert flag.version == 1


def document_of(flag: Flag) -> dict[str, object]:
    """The flag's configuration in development, turned on."""
    configuration = FlagConfiguration.objects.get(flag=flag, environment__key="development")
    return configuration.document | {"enabled": True, "introduced": True}


@pytest.mark.parametrize("keys", [KEYS[:6], KEYS[6:]])
def test_every_key_the_engine_allows_has_pages_that_work(
    browser: Client, shop: Project, keys: list[str]
) -> None:
    for key in keys:
        create(shop, key)
    listed = browser.get("/p/shop/flags/").content.decode()
    for key in keys:
        assert html.escape(address("flag", key)) in listed
        has_pages_that_work(browser, key)


def has_pages_that_work(browser: Client, key: str) -> None:
    link = address("flag", key)
    found = browser.get(link, follow=True)
    assert found.redirect_chain[-1][0] == address("flag-targeting", key, "production")
    assert html.escape(key) in found.content.decode()
    for name in ("flag-history", "flag-settings", "flag-archive"):
        assert browser.get(address(name, key)).status_code == 200
    turned_on = browser.post(address("flag-switch", key, "development"), {"enabled": "1"})
    assert turned_on.status_code == 200
    assert FlagConfiguration.objects.get(flag__key=key, environment__key="development").enabled


def test_a_key_that_looks_like_another_page_leads_to_its_own_flag(
    browser: Client, shop: Project
) -> None:
    create(shop, "checkout")
    create(shop, "history/checkout")
    found = browser.get(address("flag", "history/checkout"), follow=True)
    assert found.status_code == 200
    assert found.context["flag"].key == "history/checkout"


A_VARIANT = {"key": "k", "kind": "release", "variants[0].key": "a"}
HOSTILE_FORMS: dict[str, dict[str, str]] = {
    "nothing": {},
    "NUL": {"reason": "a\0b", "name": "\0", "key": "\0", "document": "\0", "username": "a\0"},
    "huge": dict.fromkeys(["reason", "name", "key", "document", "username", "do"], "x" * 100_000),
    "deep": {"document": "[" * 100_000, "a" + ".a" * 50_000: "x", "rules" + "[0]" * 3_000: "x"},
    "numbers": {"version": "9" * 5_000, "document": "1e400", "expires_in": "9" * 5_000},
    "not a number": {"version": "NaN", "document": "NaN", "expires_in": "-1", "enabled": "²"},
    "scalars for objects": {
        "rules": "x",
        "targets": "x",
        "fallthrough": "x",
        "variants": "x",
        "do": "add-rule",
    },
    "objects for scalars": {
        "name.a": "x",
        "key[0]": "x",
        "value_type.b": "x",
        "variants[0].key.a": "x",
        "variants[0].value[0]": "x",
        "tags[0]": "x",
        "version[0]": "1",
    },
    "commands": {"do": "remove-variant:99999999999999999999999", "value_type": "boolean"},
    "other commands": {"do": "remove-variant:²", "value_type": "none", "variants[0].key": "a"},
    "endless number": A_VARIANT | {"value_type": "integer", "variants[0].value": "9" * 5_000},
    "infinity": A_VARIANT | {"value_type": "number", "variants[0].value": "1e400"},
    "deep value": A_VARIANT | {"value_type": "object", "variants[0].value": "[" * 99_999},
    "endless command": {"do": "remove-variant:" + "9" * 5_000},
    "surrogates": {
        "key": "k",
        "value_type": "object",
        "variants[0].key": "a",
        "variants[0].value": '{"a": "\\ud800"}',
        "document": '{"salt": "\\ud800\\u0000"}',
    },
    "document of lists": {"document": "[]", "version": "1"},
    "document of nothing": {"document": "null", "version": "1"},
    "unknown fields": {"document": '{"is_superuser": true}', "is_superuser": "1", "project": "2"},
}
FORMS_AT = [
    ("flag-create", {}),
    ("flag-settings", {"key": "new-checkout"}),
    ("flag-archive", {"key": "new-checkout"}),
    ("flag-switch", {"environment": "production", "key": "new-checkout"}),
    ("flag-editor", {"environment": "production", "key": "new-checkout"}),
    ("flag-try", {"environment": "production", "key": "new-checkout"}),
    ("flag-review", {"environment": "production", "key": "new-checkout"}),
    ("flag-save", {"environment": "production", "key": "new-checkout"}),
    ("key-create", {}),
    ("member-add", {}),
    ("environment-add", {}),
    ("project-create", {}),
]


@pytest.mark.postgresql
@pytest.mark.parametrize(("name", "place"), FORMS_AT, ids=[name for name, _place in FORMS_AT])
def test_no_form_breaks_a_page(
    browser: Client, shop: Project, new_checkout: Flag, name: str, place: dict[str, str]
) -> None:
    User.objects.update(is_superuser=True)
    kwargs = place if name == "project-create" else {"project": "shop", **place}
    path = reverse(name, kwargs=kwargs)
    events = AuditEvent.objects.count()
    for kind, fields in HOSTILE_FORMS.items():
        with rolled_back():
            status = browser.post(path, fields).status_code
            assert status < 500, kind
            if status >= 400:
                assert AuditEvent.objects.count() == events, kind


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "query",
    [
        "search=%00",
        "kind=%00&tag=%00&after=%00",
        "seen=%00",
        "after=" + "x" * 5_000,
        "archived=2&kind=nothing&tag=" + "%F0%9F%90%A6" * 500,
        "search=%ff%fe",
        "before=%00",
        "before=" + "9" * 5_000,
        "before=%C2%B2",
        "before=-1",
    ],
)
def test_no_query_breaks_a_page(
    browser: Client, shop: Project, new_checkout: Flag, query: str
) -> None:
    for page in ("/p/shop/flags/", "/p/shop/flag/history/new-checkout", "/p/shop/keys/new"):
        assert browser.get(f"{page}?{query}").status_code < 500


def test_too_many_fields_and_too_much_are_refused(browser: Client, shop: Project) -> None:
    path = reverse("flag-create", kwargs={"project": "shop"})
    many = {f"variants[{number}].key": "x" for number in range(20_001)}
    assert browser.post(path, many).status_code == 400
    assert browser.post(path, {"name": "x" * 6_000_000}).status_code in (400, 413)
    assert not Flag.objects.exists()


def test_nobody_forges_lines_of_the_log(
    browser: Client, shop: Project, new_checkout: Flag, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        browser.get("/p/shop/flag/x%0d%0aINFO%20forged")
        browser.post("/p/shop/flag/switch/none%0aforged/x", {"reason": "a\nINFO forged"})
        path = address("flag-switch", "new-checkout", "development")
        fields = {"enabled": "1", "reason": "first\nsecond"}
        browser.post(path, fields, headers={"User-Agent": "a\r\nINFO forged"})
    assert caplog.records
    assert not [record for record in caplog.records if "\n" in record.getMessage()]
    event = AuditEvent.objects.first()
    assert event is not None
    assert event.reason == "first\nsecond"
    assert "\n" not in event.user_agent


def test_members_names_are_shown_as_text(browser: Client, shop: Project) -> None:
    added = add_member(project=shop, username="erin", role="viewer", intent=Intent(SETTING_UP))
    added.user.first_name = MARKUP[:100]
    added.user.save()
    assert "<script>alert" not in browser.get("/p/shop/members/").content.decode()
