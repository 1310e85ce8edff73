"""Pages of what is in memory: each row once, forwards and back."""

from hypothesis import given, strategies as st

from portal.lib.paging import SIZE, page_in

names = st.sets(st.text("abcdef", min_size=1, max_size=4), max_size=4 * SIZE)


@given(names)
def test_walking_on_and_back__shows_each_row_once(found: set[str]) -> None:
    rows = sorted(found)
    page, seen = page_in(rows, str), []
    while True:
        seen += page.rows
        last = page
        if not page.next:
            break
        page = page_in(rows, str, after=page.next)
    assert seen == rows
    back = [last.rows]
    while last.previous:
        last = page_in(rows, str, before=last.previous)
        back.insert(0, last.rows)
    assert [row for page_rows in back for row in page_rows] == rows


@given(names, st.text("abcxyz", max_size=5))
def test_a_place_that_somebody_made_up__is_a_page_all_the_same(found: set[str], place: str) -> None:
    rows = sorted(found)
    for page in (page_in(rows, str, after=place), page_in(rows, str, before=place)):
        assert page.rows == rows[rows.index(page.rows[0]) :][:SIZE] if page.rows else True
