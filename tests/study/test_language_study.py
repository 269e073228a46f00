"""A study of language models on a small text: goes on after a kill, does nothing twice, and its
table stands beside the paper's figures."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.errors import LabError, UsageError
from harness.study import language

TINY = {"hidden": 8, "epochs": 2, "epochs_sparse": 1, "epochs_frozen": 1, "batch": 4}


def write_text(folder, words=20, length=600, seed=0):
    """Sentences of a chain in which each word is followed by one of two."""
    rng = np.random.default_rng(seed)
    follows = rng.integers(words, size=(words, 2))
    folder.mkdir(parents=True)
    for part, n in (("train", length), ("valid", length // 4), ("test", length // 4)):
        word, text = 0, []
        for i in range(n):
            text.append("\n" if i % 9 == 8 else f"w{word}")
            word = follows[word, rng.integers(2)]
        known = " ".join(f"w{i}" for i in range(words)) + "\n"
        (folder / f"ptb.{part}.txt").write_text(known + " ".join(text) + "\n")
    return folder


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("data") / "ptb")


def trainings(data_dir, models=("fastgrnn", "lstm-q"), seeds=2, **changes):
    values = {
        "dataset": "ptb", "preset": "smoke", "data_dir": str(data_dir), "overrides": TINY,
    } | changes  # fmt: skip
    return [
        language.LanguageOptions(model=model, seed=seed, **values)
        for model in models
        for seed in range(seeds)
    ]


@pytest.fixture(scope="module")
def study(tmp_path_factory, data_dir):
    events, out = [], tmp_path_factory.mktemp("study")
    folders = language.run_all(trainings(data_dir), out, listen=events.append)
    return out, folders, events


def result(folder):
    return json.loads((folder / language.RESULT).read_text())


def test_every_training_is_finished_and_told_of(study):
    out, folders, events = study
    assert [(result(f)["model"], result(f)["seed"]) for f in folders] == [
        ("fastgrnn", 0), ("fastgrnn", 1), ("lstm-q", 0), ("lstm-q", 1),
    ]  # fmt: skip
    ended = [e.subject for e in events if e.stage == "train" and e.finished]
    assert sorted(ended) == [
        f"{model} seed {seed}" for model in ("fastgrnn", "lstm-q") for seed in (0, 1)
    ]
    assert events[-1].finished and (events[-1].done, events[-1].total) == (4, 4)
    assert not list(out.glob(f"*/{language.CHECKPOINT}"))
    for folder in folders:
        stages = json.loads((folder / language.EPOCHS).read_text())["epochs"]
        sparse = ["sparse", "frozen"] if result(folder)["model"] == "fastgrnn" else []
        assert [e["stage"] for e in stages] == ["first", "first", *sparse]


def test_a_second_call_does_nothing(study, data_dir):
    out, folders, _ = study
    before = {p: p.stat().st_mtime_ns for f in folders for p in f.iterdir()}
    assert language.run_all(trainings(data_dir), out) == folders
    assert {p: p.stat().st_mtime_ns for f in folders for p in f.iterdir()} == before


def test_the_table_is_of_the_runs_and_beside_the_paper(study):
    _, folders, _ = study
    table = language.paper_table(folders, "ptb").set_index("model")
    assert list(table.index) == ["fastgrnn", "lstm-q"]
    ours = [result(f)["test_perplexity"] for f in folders[:2]]
    row = table.loc["fastgrnn"]
    assert row["test_ppl"] == pytest.approx(np.mean(ours))
    assert row["test_ppl_each_seed"] == " ".join(f"{v:.2f}" for v in ours)
    printed = [row[f"paper_{name}"] for name in ("test_ppl", "train_ppl", "kb", "minutes")]
    assert printed == [116.11, 81.31, 39, 13.75]
    assert row["test_ppl_above_paper"] == pytest.approx(np.mean(ours) - 116.11)
    assert row["test_ppl"] != row["test_ppl_float"]
    assert pd.isna(table.loc["lstm-q", "paper_test_ppl"])
    assert table.loc["lstm-q", "test_ppl"] == table.loc["lstm-q", "test_ppl_float"]


def test_the_paper_s_sizes_are_of_the_recurrent_layer_alone():
    """4 bytes a value: LSTM 8 H^2 + 4 H and FastRNN 2 H^2 + H at H = 256, RNN at 128."""
    printed = language.paper_figures().set_index("model")["kb"]
    assert round((8 * 256**2 + 4 * 256) * 4 / 1024) == printed["lstm"]
    assert round((2 * 256**2 + 256) * 4 / 1024) == printed["fastrnn"]
    assert printed["rnn"] == pytest.approx((2 * 128**2 + 128) * 4 / 1024, abs=0.5)


def test_folders_differ_by_what_decides_the_result(data_dir, tmp_path):
    (plain,) = trainings(data_dir, ("gru",), 1)
    base = plain.folder(tmp_path, "a")
    for change in ({"preset": "quick"}, {"overrides": TINY | {"hidden": 9}}):
        (other,) = trainings(data_dir, ("gru",), 1, **change)
        assert other.folder(tmp_path, "a") != base
    assert plain.folder(tmp_path, "b") != base
    (elsewhere,) = trainings("/somewhere", ("gru",), 1)
    assert elsewhere.folder(tmp_path, "a") == base


def test_a_killed_study_goes_on_from_its_last_epoch(data_dir, tmp_path):
    overrides = TINY | {"epochs": 40, "dropout": 0.1}
    command = [sys.executable, "-m", "harness.cli", "study", "paper", "--dataset", "ptb"]
    command += ["--models", "fastgrnn", "--seeds", "1", "--workers", "1", "--preset", "smoke"]
    command += ["--data-dir", str(data_dir), "--out", str(tmp_path / "killed")]
    command += [f"--set={name}={value}" for name, value in overrides.items()]
    (options,) = trainings(data_dir, ("fastgrnn",), 1, overrides=overrides)
    folder = options.folder(tmp_path / "killed", options.load().sha256)
    begun = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        while not (folder / language.EPOCHS).is_file():
            assert begun.poll() is None, "the study ended before it could be killed"
            time.sleep(0.005)
    finally:
        os.killpg(begun.pid, signal.SIGKILL)
        begun.wait()
    assert not (folder / language.RESULT).exists()
    before = json.loads((folder / language.EPOCHS).read_text())["epochs"]
    assert language.run_all([options], tmp_path / "killed", workers=1) == [folder]
    after = json.loads((folder / language.EPOCHS).read_text())["epochs"]
    assert after[: len(before)] == before  # their seconds too: they were not trained again
    assert len(before) < len(after) == 42
    (whole,) = language.run_all([options], tmp_path / "whole", workers=1)
    values = [name for name in result(whole) if name.endswith(("perplexity", "float"))]
    assert len(values) == 4
    assert [result(folder)[n] for n in values] == [result(whole)[n] for n in values]


def test_two_studies_at_once_do_no_training_twice(data_dir, tmp_path):
    one = trainings(data_dir, ("gru",), 1)
    two = [
        threading.Thread(target=language.run_all, args=(one, tmp_path), kwargs={"workers": 1})
        for _ in range(2)
    ]
    written = set()
    for thread in two:
        thread.start()
    while any(thread.is_alive() for thread in two):
        written |= {p.stat().st_mtime_ns for p in tmp_path.glob(f"*/{language.RESULT}")}
        time.sleep(0.01)
    written |= {p.stat().st_mtime_ns for p in tmp_path.glob(f"*/{language.RESULT}")}
    assert len(written) == 1


def test_a_training_that_fails_is_named_and_the_others_are_done(data_dir, tmp_path):
    right = trainings(data_dir, ("rnn",), 1)
    wrong = trainings(data_dir, ("rnn",), 1, overrides=TINY | {"batch": 5000})
    with pytest.raises(
        LabError, match="1 of 2 runs failed: .* too few for 5000 parallel"
    ) as caught:
        language.run_all([*wrong, *right], tmp_path, workers=1)
    assert "start the study again" in caught.value.hint
    digest = right[0].load().sha256
    assert (right[0].folder(tmp_path, digest) / language.RESULT).is_file()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"models": ("fastgrn",)}, "unknown model 'fastgrn'"),
        ({"preset": "quik"}, "unknown preset 'quik'"),
        ({"overrides": {"noise": 0.1}}, "unknown hyper-parameter of a language model 'noise'"),
        ({"overrides": {"rank_w": 300}}, "rank_w is 300"),
        ({"overrides": {"dropout": 1}}, "dropout is 1"),
    ],
)
def test_what_is_refused_before_anything_is_trained(data_dir, tmp_path, changes, words):
    with pytest.raises(UsageError, match=words):
        language.run_all(trainings(data_dir, **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# -- the command -----------------------------------------------------------------------------------


def call(*arguments):
    return CliRunner().invoke(cli, ["study", *arguments, "--dataset", "ptb"])


def test_the_command_prints_what_the_study_holds(study, data_dir, tmp_path):
    out, folders, _ = study
    sets = [f"--set={name}={value}" for name, value in TINY.items()]
    done = call(
        "paper", "--models", "fastgrnn,lstm-q", "--seeds", "2", "--preset", "smoke", *sets,
        "--data-dir", str(data_dir), "--out", str(out), "--csv", str(tmp_path / "t.csv"), "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    expected = language.paper_table(folders, "ptb")
    assert [row["test_ppl"] for row in rows] == pytest.approx(list(expected["test_ppl"]))
    assert list(pd.read_csv(tmp_path / "t.csv")["model"]) == ["fastgrnn", "lstm-q"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("paper --board uno", "--board does not apply: ptb is text"),
        ("paper --windows 3", "--windows does not apply"),
        ("paper --input plain", "--input does not apply"),
        ("compression", "only `harness study paper` has language models"),
    ],
)
def test_what_needs_a_board_is_refused(arguments, words):
    done = call(*arguments.split())
    assert isinstance(done.exception, UsageError) and words in done.exception.message


def test_train_says_which_command_trains_language_models():
    done = CliRunner().invoke(cli, ["train", "fastgrnn", "--dataset", "ptb"])
    assert isinstance(done.exception, UsageError)
    assert "harness study paper --dataset ptb" in done.exception.hint
