"""The little language of --fault, before any board sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.virtual.faults import WORDS, parse_faults

RATES = st.floats(0, 1).map(repr)
COUNTS = st.integers(1, 2**63 - 1).map(str)
MOMENTS = st.tuples(COUNTS, st.sampled_from(["", "+"])).map("".join)
MILLISECONDS = st.tuples(st.integers(0, 3_600_000).map(str), st.sampled_from(["", "ms"]))
VALUES = {
    "seed": COUNTS,
    **dict.fromkeys(["flip", "drop", "dup", "boot-flip", "boot-drop", "boot-dup"], RATES),
    **dict.fromkeys(["delay", "slow-boot"], MILLISECONDS.map("".join)),
    **dict.fromkeys(["hang", "deaf", "reset", "brown-out"], MOMENTS),
    "vanish": st.tuples(MOMENTS, MILLISECONDS.map("".join)).map(":".join),
    "stuck": COUNTS | st.just(""),
    "bad-uploads": COUNTS | st.just("odd"),
}


@st.composite
def specs(draw: st.DrawFn) -> dict[str, str]:
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, unique=True))
    return {name: draw(VALUES[name]) for name in names}


@given(specs())
def test_every_good_spec_is_taken_and_canonical_after_one_reading(spec: dict[str, str]) -> None:
    text = ", ".join(f"{k}={v}" if v else k for k, v in spec.items())
    once = parse_faults(text)
    assert parse_faults(once) == once
    assert [item.partition("=")[0] for item in once.split(",")] == list(spec)


@given(st.text(max_size=60))
def test_anything_else_is_a_usage_error(text: str) -> None:
    try:
        parse_faults(text)
    except UsageError as error:
        assert error.message


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("flip=2", "flip='2' must be a probability"),
        ("flip=nan", "must be a probability"),
        ("flipp=1e-4", "unknown fault 'flipp'"),
        ("hang=0", "hang='0' must be a number of received bytes"),
        ("vanish=100", "must be N:MS"),
        ("delay=7200000", "milliseconds"),
        ("flip=0.1,flip=0.2", "flip is given twice"),
        ("bad-uploads=even", "'odd' for every other one"),
        ("firmware=/nowhere/flash.bin", "no such file"),
        ("", "unknown fault ''"),
        ("stuck=", "has no value"),
    ],
)
def test_an_error_says_which_word_and_what_it_must_be(spec: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_faults(spec)
    assert words in caught.value.message


def test_a_file_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flash.bin").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert parse_faults("firmware=flash.bin") == f"firmware={tmp_path / 'flash.bin'}"


def test_every_word_is_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
    for word in WORDS:
        assert f"`{word}" in page, word
