"""The paper's milliseconds beside ours."""

import pandas as pd
import pytest

from harness.report.published import TABLE, published, published_ms
from harness.results import summary_frame


def row(**values):
    common = {
        "board": "mkr1000", "dataset": "har2", "model": "fastgrnn", "latency_ms": 54.0,
        "hidden": 80, "model_flash_bytes": 4_000, "timing_source": "emulated-cycles",
    }  # fmt: skip
    return common | values


def test_the_paper_prints_162_ms_for_fastgrnn_on_har2():
    assert published_ms("mkr1000", "har2", "fastgrnn") == 162
    assert published_ms("mkr1000", "har2", "fastgrnn+tanh") == 162
    assert published_ms("mkr1000", "har2", "fastgrnn-q") == 553


@pytest.mark.parametrize(
    "key", [("uno", "har2", "fastgrnn"), ("mkr1000", "digits", "fastgrnn"),
            ("mkr1000", "har2", "lstm"), ("mkr1000", "har2", "fastgrnn-lsq")],
)  # fmt: skip
def test_what_it_does_not_print_is_none(key):
    assert published_ms(*key) is None


def test_a_row_has_both_and_their_ratio():
    summary = summary_frame([row(), row(board="uno"), row(model="gru"), row(latency_ms=None)])
    (entry,) = published(summary)
    assert (entry["paper"], entry["latency"], entry["ratio"]) == ("162", "54.0", "3.0")
    assert entry["timing_source"] == "emulated-cycles"


def test_every_line_of_the_table_is_a_board_a_data_set_and_a_model_of_ours():
    from harness.boards import load_kinds
    from harness.datasets import SOURCES
    from harness.presets import parse_model_name

    for line in pd.read_csv(TABLE, comment="#").itertuples():
        assert line.board in load_kinds()
        assert line.dataset in SOURCES
        parse_model_name(line.model)
        assert line.latency_ms > 0
