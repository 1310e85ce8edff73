"""An auditor reads the history, and takes it away."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.finding import button, new_name
from tests.browser.offline import unpacked, verify
from tests.browser.visitors import PROJECT, Visitor

pytestmark = pytest.mark.browser
HISTORY = f"/p/{PROJECT}/history/"


def test_an_auditor_filters_by_date_and_person_opens_a_record_and_exports(
    page: Page, dana: Visitor, tmp_path: Path
) -> None:
    key = new_name("audited").replace(" ", "-")
    dana.create_flag(key)
    dana.switch(key, "staging", on=True)
    today = datetime.now(UTC).date().isoformat()

    page.goto(f"/p/{PROJECT}/flags/")
    page.get_by_role("link", name="History", exact=True).click()
    page.get_by_label("Carried out by").select_option("dana")
    page.get_by_label("From", exact=True).fill(today)
    page.get_by_label("Flag or other subject").fill(key)
    button(page, "Filter").click()
    expect(page).to_have_url(re.compile(f"actor=dana.*from={today}"))
    rows = page.get_by_role("article")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(f"dana turned on {key}")
    expect(page.get_by_text("2 records")).to_be_visible()

    with page.expect_download() as started:
        button(page, "JSON Lines").click()
    packed = tmp_path / "history.zip"
    started.value.save_as(packed)
    file = unpacked(packed)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["event"] for line in lines[:-1]] == ["flag.created", "flag.enabled"]
    assert lines[-1]["manifest"]["rows"] == 2
    assert "2 rows" in verify(file, 0)
    file.write_text(file.read_text().replace("flag.enabled", "flag.disabled"))
    verify(file, 1)

    rows.first.locator("a[href*='/history/']:not([href$='restore'])").click()
    expect(page).to_have_url(re.compile(rf"{HISTORY}\d+$"))
    expect(page.get_by_role("heading", name=f"dana turned on {key}")).to_be_visible()
    expect(page.get_by_role("row", name="enabled false true")).to_be_visible()
    page.get_by_role("link", name="Earlier of this subject").click()
    expect(page.get_by_role("heading", name=f"dana created the flag {key}")).to_be_visible()


def test_last_30_days_of_production_is_one_click(page: Page) -> None:
    page.goto(HISTORY)
    page.get_by_role("link", name="Last 30 days of production").click()
    expect(page.get_by_label("Environment")).to_have_value("production")
    expect(page.get_by_label("Period")).to_have_value("30d")
