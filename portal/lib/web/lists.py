"""Lists in pages: filters and places stand in the address, and survive every link."""

from typing import Any

from django.http import HttpRequest, QueryDict

from portal.lib.paging import Page


def query_with(query: QueryDict, **changes: object) -> str:
    """The query of a page with changes; what is None or empty goes, and so does ``seen``."""
    found = query.copy()
    for name, value in {"seen": None, **changes}.items():
        found.pop(name, None)
        if value:
            found[name] = str(value)
    return found.urlencode()


def asked_places(request: HttpRequest) -> tuple[str, str]:
    """The places after and before which an address asks for a page; empty where it does not."""
    return request.GET.get("after", ""), request.GET.get("before", "")


def paging(
    request: HttpRequest, page: Page[Any], *, forward: str = "after", back: str = "before"
) -> dict[str, str]:
    """Where ``_paging.html`` leads: to the first page and those around this one, if there are."""
    first = query_with(request.GET, **{forward: None, back: None})
    there = request.GET.get(forward) or request.GET.get(back)
    found = {"first_page": f"?{first}" if there else "", "next_page": "", "previous_page": ""}
    if page.next:
        found["next_page"] = "?" + query_with(request.GET, **{back: None, forward: page.next})
    if page.previous:
        query = query_with(request.GET, **{forward: None, back: page.previous})
        found["previous_page"] = f"?{query}"
    return found
