"""The site in a real browser: no complaints, tables sort, a phone needs no sideways scroll."""

import pytest

from tests.history import browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine"),
    pytest.mark.xdist_group("browser"),
]
CELLS = "document.querySelector('table[data-name=cells], #cells + .scroll table')"
PHONE_PX = 390


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    started = browser.Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture
def page(chromium, site):
    chromium.problems.clear()
    chromium.open(site / "index.html")
    yield chromium
    assert chromium.problems == []


def column(page, name):
    """Words of a column of the table of cells, from top to bottom."""
    script = f"""(() => {{
        const heads = [...{CELLS}.tHead.rows[0].cells].map((head) => head.innerText.trim());
        const column = heads.findIndex((head) => head.startsWith({name!r}));
        return [...{CELLS}.tBodies[0].rows].map((row) => row.cells[column].innerText.trim());
    }})()"""
    return page.value(script)


def head(name):
    return f"[...{CELLS}.tHead.rows[0].cells].find((h) => h.innerText.trim().startsWith({name!r}))"


def numbers(cells):
    return [float(cell.replace("\u202f", "").split(" to ")[0]) for cell in cells if cell != "–"]


def test_a_table_sorts_by_numbers_up_and_down_with_what_is_missing_last(page):
    before = column(page, "cycles")
    assert numbers(before) != sorted(numbers(before))
    page.value(f"{head('cycles')}.querySelector('button').click()")
    up = column(page, "cycles")
    assert numbers(up) == sorted(numbers(before))
    assert page.value(f"{head('cycles')}.getAttribute('aria-sort')") == "ascending"
    page.value(f"{head('cycles')}.querySelector('button').click()")
    down = column(page, "cycles")
    assert numbers(down) == sorted(numbers(before), reverse=True)
    assert up[-1] == down[-1] == "–"


def test_a_table_sorts_by_words(page):
    page.value(f"{head('model')}.querySelector('button').click()")
    found = column(page, "model")
    assert found == sorted(found, key=str.lower)
    assert sorted(set(found)) != [found[0]]


def test_a_table_sorts_from_the_keyboard(page):
    before = numbers(column(page, "cycles"))
    page.value(f"{head('cycles')}.querySelector('button').focus()")
    page.press("Enter", 13)
    assert numbers(column(page, "cycles")) == sorted(before)


def test_the_tab_key_reaches_headings_and_links(page):
    reached = set()
    for _ in range(40):
        page.press("Tab", 9)
        reached.add(page.value("document.activeElement.tagName"))
    assert {"A", "BUTTON", "DIV"} <= reached


def test_all_pages_fit_a_phone_in_both_schemes_without_complaint(page, site):
    for path in sorted(site.glob("*.html")):
        for is_dark in (False, True):
            page.dark(is_dark)
            page.open(path, width=PHONE_PX)
            assert page.value("document.documentElement.scrollWidth") <= PHONE_PX, path.name
            back = page.value("getComputedStyle(document.body).backgroundColor")
            assert back == ("rgb(18, 22, 27)" if is_dark else "rgb(255, 255, 255)")
    page.dark(False)


def test_every_picture_is_drawn(page, site):
    for path in sorted(site.glob("board-*.html")):
        page.open(path)
        sizes = page.value("[...document.images].map((i) => [i.complete, i.naturalWidth])")
        assert sizes
        assert all(complete and width > 100 for complete, width in sizes)
