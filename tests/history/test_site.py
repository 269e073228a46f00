"""The site: the verdict first, everything escaped, nothing from elsewhere, readable."""

import html
import re

import pytest

from harness.errors import UsageError
from harness.report.site import pages, write_site
from tests.history.conftest import HOSTILE


def words(page):
    """The text of a page without its style, script and tags."""
    body = re.sub(r"<(style|script)>.*?</\1>", "", page.read_text(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def section(page, name):
    found = re.search(rf'<h2 id="{name}">.*?(?=<h2|</main>)', page.read_text(), re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", found.group())) if found else ""


def test_the_first_words_are_the_verdict(site):
    said = words(site / "index.html")
    assert said.index("REGRESSED") < said.index("LAB TROUBLE") < said.index("Boards")
    assert "1 figure got worse" in said


def test_what_regressed_is_named_and_nothing_else(site):
    regressed = section(site / "index.html", "regressed")
    assert "fastgrnn on uno (virtual)" in regressed
    assert "cycles_median" in regressed
    assert "+2 %" in regressed
    assert "gru" not in regressed


def test_lab_trouble_new_and_better_cells_have_their_places(site):
    page = site / "index.html"
    assert "fastgrnn on mkr1000 (silicon)" in section(page, "trouble")
    assert "unplugged" in section(page, "trouble")
    assert "lstm on due (virtual)" in section(page, "new")
    assert "gru on uno (virtual)" in section(page, "better")


def test_every_board_and_model_has_a_page_with_figures(site):
    names = sorted(path.name for path in site.glob("*.html"))
    assert len([n for n in names if n.startswith("board-")]) == 3
    assert len([n for n in names if n.startswith("model-")]) == 4
    uno = next(site.glob("board-uno-*.html"))
    assert "uno (virtual)" in words(uno)
    assert uno.read_text().count("<figure>") == 3
    due = next(site.glob("board-due-*.html"))
    assert "50 000 to 70 000" in words(due)


def test_a_silicon_board_is_never_on_a_virtual_ones_page(site):
    silicon = next(site.glob("board-mkr1000-*.html"))
    assert "silicon" in words(silicon)
    assert "virtual" not in words(silicon)


def test_what_comes_from_files_is_escaped(site):
    for page in site.glob("*.html"):
        assert "alert(" not in re.sub(r"&lt;script&gt;.*?&lt;/script&gt;", "", page.read_text())
    assert HOSTILE in words(next(site.glob("model-script*.html")))


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.glob("*.html"):
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.read_text())


def test_links_and_pictures_are_there(site):
    for page in site.glob("*.html"):
        for target in re.findall(r'(?:src|href)="([^"]+)"', page.read_text()):
            if not target.startswith("data:"):
                assert (page.parent / html.unescape(target)).is_file(), f"{page.name}: {target}"
    assert "run5/report.html" in next(site.glob("board-uno-*.html")).read_text()


def test_the_same_history_gives_the_same_files(history, site, tmp_path):
    """Beside the first one, so that the links to reports are the same."""
    again = write_site(history, site.parent / f"{site.name}-again").parent
    for path in site.rglob("*"):
        if path.is_file():
            assert (again / path.relative_to(site)).read_bytes() == path.read_bytes(), path.name


def test_an_empty_history_has_no_site(tmp_path):
    with pytest.raises(UsageError, match="empty"):
        write_site([], tmp_path)


def test_names_become_file_names_that_are_safe_and_unique():
    names = ["../../etc/passwd", "a b", "a-b", "A-B", "", "x" * 300, "ü"]
    slugs = [pages.slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]{1,50}", slug) for slug in slugs)


def luminance(colour):
    """Ref: W3C, WCAG 2.1, relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_text_colour_stands_out_in_both_schemes():
    """WCAG 2.1 AA: 4.5 to 1."""
    css = (pages.Path(pages.__file__).parent / "site.css").read_text()
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w{6});", block)) for block in css.split("@media")[:2]
    )
    for scheme in (light, dark):
        for text in ("ink", "soft", "link", "good", "bad", "idle"):
            for back in ("paper", "panel"):
                low, high = sorted((luminance(scheme[text]), luminance(scheme[back])))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (text, back)
