"""Selectors: what they name, and what is said when they name nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.history import select
from harness.history.record import read_folder
from tests.history.folders import row, write_run

VALUES = st.text("abcdefghij0123456789-. ()", min_size=1).map(str.strip).filter(bool)
TERMS = st.lists(st.tuples(st.sampled_from(sorted(select.TERMS)), VALUES), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    uno = [row(), row("gru", compiler="arm-none-eabi-gcc (15:12.2) 12.2.1", model_sha256="cd" * 32)]
    folders = [
        write_run(out, 1, uno, git_sha="a1" * 20),
        write_run(out, 2, uno, git_sha="a2" * 20),
        write_run(out, 3, [row(board="mkr1000")], git_sha="b3" * 20),
    ]
    return [entry for folder in folders for entry in read_folder(folder)]


def found(text, history):
    return [f"{e.run_id} {e.cell.model}" for e in select.parse(text).find(history)]


@pytest.mark.parametrize(
    "text, runs",
    {
        "run:run2": ["run2 fastgrnn", "run2 gru"],
        "run:run2,model:gru": ["run2 gru"],
        " model:gru , run:run2 ": ["run2 gru"],
        "commit:a1": ["run1 fastgrnn", "run1 gru"],
        "commit:a": ["run1 fastgrnn", "run1 gru", "run2 fastgrnn", "run2 gru"],
        "night:2026-11-21": ["run1 fastgrnn", "run1 gru"],
        "night:latest": ["run3 fastgrnn"],
        "night:previous": ["run2 fastgrnn", "run2 gru"],
        "run:latest,board:uno": ["run2 fastgrnn", "run2 gru"],
        "board:uno,run:previous": ["run1 fastgrnn", "run1 gru"],
        "compiler:ARM-none,run:run1": ["run1 gru"],
        "compiler:(15:12.2),run:run1": ["run1 gru"],
        "model-hash:cdcd,commit:latest,board:uno": ["run2 gru"],
        "kind:virtual,board:mkr1000": ["run3 fastgrnn"],
    }.items(),
)
def test_what_a_selector_names(history, text, runs):
    assert found(text, history) == runs


def test_a_folder_needs_no_history(tmp_path):
    assert found(str(write_run(tmp_path, 7)), []) == ["run7 fastgrnn"]


def test_a_folder_whose_name_looks_like_a_selector_is_a_folder(tmp_path, monkeypatch):
    write_run(tmp_path, 7).rename(tmp_path / "run:3")
    monkeypatch.chdir(tmp_path)
    assert found("run:3", []) == ["run7 fastgrnn"]


@pytest.mark.parametrize(
    "text, words, hint",
    [
        ("results/typo", "no results folder and no selector", "e.g."),
        ("bord:uno", "unknown selector 'bord'", "'board'"),
        ("board:", "no value", "e.g."),
        ("board:uno,,", "no selector", "e.g."),
        ("board:unp", "board:unp matches nothing", "did you mean 'uno'"),
        ("commit:a1,board:mkr1000", "board:mkr1000 matches nothing", "uno"),
        ("board:mkr1000,run:previous", "run:previous matches nothing", "run3"),
    ],
)
def test_what_names_nothing_is_a_usage_error_that_helps(history, text, words, hint):
    with pytest.raises(UsageError) as caught:
        found(text, history)
    assert words in caught.value.message
    assert hint in caught.value.hint


@given(TERMS)
def test_parsing_keeps_every_term_in_order(terms):
    text = ",".join(f"{name}:{value}" for name, value in terms)
    assert select.parse(text).terms == tuple(terms)


@given(TERMS)
def test_a_selector_finds_entries_that_meet_all_its_terms_or_says_so(history, terms):
    selector = select.Selector("x", terms=tuple(terms))
    try:
        entries = selector.find(history)
    except UsageError:
        return
    assert entries
    for name, value in terms:
        if value in ("latest", "previous"):
            continue
        assert all(value.lower() in select.TERMS[name](e).lower() for e in entries)


@given(st.sampled_from(sorted(select.TERMS)), st.integers(0, 4))
def test_every_entry_is_found_by_its_own_value(history, name, index):
    value = select.TERMS[name](history[index])
    if value:
        assert history[index] in select.Selector("x", terms=((name, value),)).find(history)


@given(st.text(max_size=40) | st.text("x:,", min_size=300, max_size=400))
def test_any_text_is_parsed_or_refused_politely(text):
    try:
        selector = select.parse(text)
    except UsageError as error:
        assert error.hint
    else:
        assert selector.folder or selector.terms
