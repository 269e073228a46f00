"""JUnit XML: what a CI server makes of a night."""

from xml.etree import ElementTree as ET

import pytest

from harness.nightly.junit import as_junit
from tests.history.folders import row
from tests.nightly.nights import SICK, UNO, cell, history, hung, late, verdict

# JUnit.xsd (junit-10): what each element may have. `properties` of a case are pytest's addition.
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase"],
    "properties": ["property"],
    "testcase": ["properties", "skipped", "error", "failure", "system-out"],
}


def document(found):
    return ET.fromstring(as_junit(found))


def check(element):
    """Only known elements in the order of the schema, with exactly their attributes."""
    assert set(element.attrib) == ATTRIBUTES[element.tag], element.tag
    order = CHILDREN.get(element.tag, [])
    places = [order.index(child.tag) for child in element]
    assert places == sorted(places), element.tag
    for child in element:
        check(child)


@pytest.fixture
def night(tmp_path):
    slower = row(board_id=UNO.board_id, cycles_median=163_200.0)
    entries = history(tmp_path, [row(board_id=UNO.board_id)], [slower])
    cells = [
        cell(),
        cell(model="gru", status="mismatch", message="1 windows with other logits"),
        cell(model="lstm", status="does-not-fit", message="over by 8,960 B"),
        hung(),
        late(SICK, "gru", "the board was given up"),
    ]
    return document(verdict(cells, entries))


def test_it_has_the_shape_that_servers_expect(night):
    check(night)


def test_a_suite_a_board_a_case_a_cell(night):
    names = {suite.get("name"): [c.get("name") for c in suite.iter("testcase")] for suite in night}
    assert names == {
        "uno-1": [f"{m} seed 0 repeat 1" for m in ("fastgrnn", "gru", "lstm")],
        "uno-2": [f"{m} seed 0 repeat 1" for m in ("fastgrnn", "gru")],
    }


def test_outcomes(night):
    tags = [
        next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "")
        for case in night.iter("testcase")
    ]
    assert tags == ["failure", "failure", "skipped", "error", "skipped"]
    regression = next(night.iter("failure"))
    assert regression.get("type") == "regression"
    assert "163,200" in regression.get("message")


def test_the_counts_add_up(night):
    for name in ("tests", "failures", "errors", "skipped"):
        assert int(night.get(name)) == sum(int(suite.get(name)) for suite in night)
    assert [night.get(n) for n in ("tests", "failures", "errors", "skipped")] == list("5212")


def test_figures_are_properties(night):
    properties = {
        p.get("name"): p.get("value") for p in next(night.iter("testcase")).iter("property")
    }
    assert properties["cycles_median"] == "160000.0"
    assert properties["model_flash_bytes"] == "1234"


def test_the_last_words_of_the_board_are_kept_and_fit_into_xml(tmp_path):
    log = tmp_path / "board" / "board.log"
    log.parent.mkdir()
    log.write_bytes(b"\x00\x1b[31m ]]> <oops> \xff last words")
    case = next(document(verdict([hung(folder=tmp_path)])).iter("testcase"))
    assert "]]> <oops>" in case.find("system-out").text
    assert case.find("system-out").text.endswith("last words")
