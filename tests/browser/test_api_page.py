"""The API's page, in a browser that keeps to the page's content security policy."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
METHODS = {"get", "post", "put", "patch", "delete"}


def test_the_page__shows_every_operation_and_what_it_takes(page: Page) -> None:
    schema = page.request.get("/api/schema/", headers={"Accept": "application/json"}).json()
    operations = sum(len(METHODS & set(path)) for path in schema["paths"].values())
    assert operations > 30
    page.goto("/api/docs/")
    # Swagger UI draws all of it by script, which a busy machine takes its time for.
    expect(page.locator(".opblock")).to_have_count(operations, timeout=60_000)
    page.locator(".opblock", has_text="/import").locator(".opblock-summary").click()
    expect(page.get_by_text("Report only, change nothing.")).to_be_visible(timeout=60_000)
