"""What the command line says when something is wrong, and its exit code."""

import sys
from dataclasses import dataclass

import pytest

from harness.cli import COMMANDS, main
from tests.models import random_qmodel


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def harness(monkeypatch, capsys, tmp_path):
    """Call the command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["harness", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Done(ended.value.code, captured.out, captured.err)

    return call


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("run --board mkr100 --virtual", 2, ["unknown board 'mkr100'", "'mkr1000'"]),
        ("run --virtual", 2, ["no board given", "--board NAME"]),
        ("run --board uno --virtual --models fastgrn", 2, ["'fastgrn'", "'fastgrnn'"]),
        ("run --board uno --virtual --models lstm-sx", 2, ["lstm-sx", "lstm-sq"]),
        ("run --board uno --virtual --preset quik", 2, ["preset 'quik'", "'quick'"]),
        ("run --board uno --virtual --dataset digit", 2, ["'digit'", "'digits'"]),
        ("run --board uno --virtual --windows 0", 2, ["at least one window"]),
        ("run --board uno --virtual --windows some", 2, ["neither a number nor 'all'"]),
        ("run --board mkr1000", 3, ["no Arduino MKR1000", "--virtual", "--port"]),
        ("run --board uno", 3, ["no Arduino Uno", "--board uno --virtual"]),
        ("run --resume nowhere", 2, ["nowhere: no run.json"]),
        ("rum --board uno", 2, ["unknown command 'rum'", "'run'"]),
        ("report nowhere", 2, ["nowhere"]),
        ("virtual up unno", 2, ["unknown board 'unno'", "'uno'"]),
        ("build nothing.npz --board uno", 1, ["nothing.npz"]),
        ("data fetch hars", 2, ["'hars'", "har"]),
    ],
)
def test_errors_say_what_where_and_what_to_try(harness, arguments, code, words, tmp_path):
    done = harness(*arguments.split())
    assert done.returncode == code, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []  # nothing half-begun is left


def test_a_missing_data_set_says_where_it_was_looked_for(harness, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    done = harness(
        *["run", "--board", "uno", "--virtual", "--dataset", "har2"],
        *["--data-dir", str(tmp_path / "empty")],
    )
    assert done.returncode == 1
    assert "har6" in done.stderr
    assert str(tmp_path / "empty") in done.stderr
    assert "harness data fetch" in done.stderr


def test_a_damaged_model_is_named(harness, tmp_path):
    path = tmp_path / "m.npz"
    random_qmodel("fastgrnn").save(path)
    path.write_bytes(path.read_bytes()[:-200])
    done = harness("build", str(path), "--board", "uno")
    assert done.returncode == 1
    assert "m.npz" in done.stderr


@pytest.mark.parametrize("command", [*COMMANDS, "virtual up", "data list", "data fetch"])
def test_every_command_has_help_with_an_example(harness, command):
    done = harness(*command.split(), "--help")
    assert done.returncode == 0
    assert "Example:" in done.stdout
    assert f"harness {command.split()[0]}" in done.stdout
