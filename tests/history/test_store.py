"""The history file: nothing twice, nothing lost, nothing of others touched."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from harness.errors import LabError, UsageError
from harness.history import database, store
from tests.history.folders import row, write_run


def contents(file):
    """Every row of both tables."""
    with sqlite3.connect(file) as opened:
        runs = opened.execute("SELECT * FROM run ORDER BY id").fetchall()
        rows = opened.execute("SELECT * FROM result ORDER BY run, model").fetchall()
    opened.close()
    return runs, rows


def test_what_was_added_is_read_again(tmp_path):
    folder = write_run(tmp_path, 1, [row(), row("gru", cycles_median=5.5)], seed=3)
    assert store.add_folder(tmp_path / "h.db", folder) == store.Added(2, 2)
    first, second = store.read(tmp_path / "h.db")
    assert first.cell.model == "fastgrnn"
    assert second.number("cycles_median") == 5.5
    assert first.cell.seed == 3
    assert first.cell.windows == "10"
    assert first.folder == folder
    assert first.night == "2026-11-21"
    assert first.values["compiler"] == "avr-gcc 7.3.0"


def test_adding_twice_changes_nothing(tmp_path):
    folder, file = write_run(tmp_path, 1), tmp_path / "h.db"
    store.add_folder(file, folder)
    before = contents(file)
    assert store.add_folder(file, folder) == store.Added(1, 0)
    assert contents(file) == before


def test_a_half_run_adds_what_is_whole_and_is_completed_later(tmp_path):
    file = tmp_path / "h.db"
    half = write_run(tmp_path, 1, [row()], finished=False)
    assert store.add_folder(file, half).changed == 1
    whole = write_run(tmp_path, 1, [row(), row("gru")])
    assert store.add_folder(file, whole) == store.Added(2, 1)
    assert [e.finished is not None for e in store.read(file)] == [True, True]
    write_run(tmp_path, 1, [row(status="lab-error")], finished=False)  # an older copy
    assert store.add_folder(file, half) == store.Added(1, 0)
    assert {e.status for e in store.read(file)} == {"ok"}


def test_a_run_killed_before_its_first_row_adds_nothing(tmp_path):
    folder = write_run(tmp_path, 1, [], finished=False)
    (folder / "summary.csv").unlink()
    assert store.add_folder(tmp_path / "h.db", folder) == store.Added(0, 0)
    assert not (tmp_path / "h.db").exists()


def test_a_row_tried_again_replaces_its_lab_trouble(tmp_path):
    file = tmp_path / "h.db"
    trouble = {"status": "lab-error", "message": "no answer", "cycles_median": None}
    store.add_folder(file, write_run(tmp_path, 1, [row(**trouble)], finished=False))
    store.add_folder(file, write_run(tmp_path, 1, [row()]))
    (entry,) = store.read(file)
    assert (entry.status, entry.number("cycles_median")) == ("ok", 160_000)


def test_a_finished_run_does_not_change(tmp_path):
    file = tmp_path / "h.db"
    store.add_folder(file, write_run(tmp_path, 1))
    before = contents(file)
    changed = write_run(tmp_path, 1, [row(cycles_median=163_200.0)])
    with pytest.raises(UsageError, match="cycles_median is 163200.*with 160000"):
        store.add_folder(file, changed)
    assert contents(file) == before


def test_a_moved_folder_is_found_again(tmp_path):
    file, folder = tmp_path / "h.db", write_run(tmp_path, 1)
    store.add_folder(file, folder)
    moved = folder.rename(tmp_path / "elsewhere")
    assert store.add_folder(file, moved).changed == 0
    assert store.read(file)[0].folder == moved


def test_history_and_folders_can_move_together(tmp_path):
    here = tmp_path / "here"
    store.add_folder(here / "h.db", write_run(here, 1))
    there = here.rename(tmp_path / "there")
    assert store.read(there / "h.db")[0].folder == there / "run1"


def test_columns_not_known_here_are_kept(tmp_path):
    folder = write_run(tmp_path, 1, [row(energy_uj=12.5)])
    store.add_folder(tmp_path / "h.db", folder)
    assert store.read(tmp_path / "h.db")[0].number("energy_uj") == 12.5


def test_the_typed_columns_can_be_asked_with_sql(tmp_path):
    file = tmp_path / "h.db"
    store.add_folder(file, write_run(tmp_path, 1, [row(), row("gru", cycles_median=7.0)]))
    opened = sqlite3.connect(file)
    asked = "SELECT model, cycles_median, flash_bytes FROM history WHERE cycles_median > 100"
    assert opened.execute(asked).fetchall() == [("fastgrnn", 160_000.0, 8765)]
    opened.close()


# -- files that are not ours, or not whole --------------------------------------------------------


def damaged_files(tmp_path):
    good = tmp_path / "good.db"
    for number in range(20):
        store.add_folder(good, write_run(tmp_path / "runs", number))
    data = good.read_bytes()
    middle = len(data) // 2
    yield "text", b"not a database, but a letter to a friend\n" * 30
    yield "cut short", data[:middle]
    yield "overwritten", data[:middle] + b"\xff" * 8192 + data[middle + 8192 :]
    yield "header only", data[:100]


def test_a_damaged_file_is_named_and_left_alone(tmp_path):
    folder = write_run(tmp_path, 99)
    for name, data in damaged_files(tmp_path):
        file = tmp_path / f"{name}.db"
        file.write_bytes(data)
        with pytest.raises(LabError, match=f"{name}.db.*damaged") as caught:
            store.add_folder(file, folder)
        assert "--add" in caught.value.hint
        assert file.read_bytes() == data, name


def foreign(tmp_path, *statements):
    file = tmp_path / "foreign.db"
    opened = sqlite3.connect(file)
    for statement in statements:
        opened.execute(statement)
    opened.commit()
    opened.close()
    return file


@pytest.mark.parametrize("act", ["read", "add"])
def test_a_newer_file_is_refused_and_left_alone(tmp_path, act):
    file = foreign(
        tmp_path,
        f"PRAGMA application_id = {database.APPLICATION_ID}",
        f"PRAGMA user_version = {len(database.MIGRATIONS) + 1}",
        "CREATE TABLE run (something_else)",
    )
    before = file.read_bytes()
    with pytest.raises(UsageError, match=f"version {len(database.MIGRATIONS) + 1}"):
        store.read(file) if act == "read" else store.add_folder(file, write_run(tmp_path, 1))
    assert file.read_bytes() == before


@pytest.mark.parametrize("act", ["read", "add"])
def test_another_programs_file_is_refused_and_left_alone(tmp_path, act):
    file = foreign(tmp_path, "CREATE TABLE bookmarks (url)", "INSERT INTO bookmarks VALUES ('x')")
    before = file.read_bytes()
    with pytest.raises(UsageError, match="another program"):
        store.read(file) if act == "read" else store.add_folder(file, write_run(tmp_path, 1))
    assert file.read_bytes() == before


def test_no_history_yet(tmp_path):
    with pytest.raises(UsageError, match="no history yet"):
        store.read(tmp_path / "h.db")
    assert not (tmp_path / "h.db").exists()


def test_an_older_file_is_brought_up_to_date_with_its_rows(tmp_path, monkeypatch):
    file = tmp_path / "h.db"
    store.add_folder(file, write_run(tmp_path, 1))
    later = (*database.MIGRATIONS, "ALTER TABLE run ADD COLUMN bench TEXT NOT NULL DEFAULT 'desk'")
    monkeypatch.setattr(database, "MIGRATIONS", later)
    store.add_folder(file, write_run(tmp_path, 2))
    assert [e.run_id for e in store.read(file)] == ["run1", "run2"]
    assert [run[-1] for run in contents(file)[0]] == ["desk", "desk"]


def test_a_migration_that_fails_leaves_the_old_version(tmp_path, monkeypatch):
    file = tmp_path / "h.db"
    store.add_folder(file, write_run(tmp_path, 1))
    before = contents(file)
    broken = (*database.MIGRATIONS, "ALTER TABLE run ADD COLUMN bench TEXT; SELECT * FROM nowhere")
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", broken)
        with pytest.raises(LabError, match="nowhere"):
            store.read(file)
    assert contents(file) == before


# -- many at once, and killed ---------------------------------------------------------------------


def test_many_processes_add_at_once_to_a_file_that_is_not_there_yet(tmp_path):
    own = [write_run(tmp_path, number) for number in range(24)]
    shared = write_run(tmp_path, 99, [row(), row("gru")])
    file = tmp_path / "h.db"
    with ProcessPoolExecutor(max_workers=4, mp_context=get_context("spawn")) as pool:
        added = [pool.submit(store.add_folder, file, f) for f in [*own, *[shared] * 12]]
        changed = [future.result().changed for future in added]
    assert sum(changed) == 24 + 2
    assert len(store.read(file)) == 24 + 2


ADDER = """
import os, sys
from pathlib import Path
from harness.history import database, store
while line := sys.stdin.readline():
    file, folder = map(Path, line.split())
    child = os.fork()
    if child == 0:
        store.add_folder(file, folder)
        os._exit(0)
    print(child, flush=True)
    sys.stdin.readline()  # until it has been killed: its number is kept for it
    _, status = os.waitpid(child, 0)
    print(status, flush=True)
"""
KILLS = 20
ROWS_EACH = 200


@pytest.mark.slow
def test_a_process_killed_while_adding_leaves_the_old_or_the_new_state(tmp_path):
    """Twenty SIGKILLs at random moments of adding 200 rows, from its start to after its end."""
    file = tmp_path / "h.db"
    rows = [row(f"model{number}") for number in range(ROWS_EACH)]
    folders = [write_run(tmp_path, number, rows) for number in range(KILLS)]
    chance = random.Random(1)
    begun = time.monotonic()
    store.add_folder(tmp_path / "undisturbed.db", folders[0])
    longest_s = 1.5 * (time.monotonic() - begun)
    command = [sys.executable, "-c", ADDER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    killed = 0
    with subprocess.Popen(command, **pipes) as adder:
        for folder in folders:
            print(file, folder, file=adder.stdin, flush=True)
            child = int(adder.stdout.readline())
            time.sleep(chance.uniform(0.0, longest_s))
            os.kill(child, signal.SIGKILL)
            print(file=adder.stdin, flush=True)
            killed += os.WIFSIGNALED(int(adder.stdout.readline()))
            if file.exists():
                assert whole_runs(file) <= {f.name for f in folders}
    assert killed > 0
    for folder in folders:
        store.add_folder(file, folder)
    assert whole_runs(file) == {folder.name for folder in folders}


def whole_runs(file):
    """Names of the runs in a file, each of which has all its rows."""
    opened = sqlite3.connect(file)
    assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    tables = opened.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    query = "SELECT run_id, count(*) FROM history GROUP BY run_id"
    counts = dict(opened.execute(query).fetchall()) if tables else {}
    opened.close()
    assert set(counts.values()) <= {ROWS_EACH}
    return set(counts)
