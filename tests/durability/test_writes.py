"""Old state or new state: after a kill at any call, after a write that failed at any byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import cli, files
from harness.errors import StorageError
from harness.files import atomic_path, put_in_place, put_link, workshop, write_atomic
from tests.durability.crash_points import one_kill
from tests.durability.scenarios import SCENARIOS, Scenario, as_json, leftovers

ROOT = Path(__file__).resolve().parents[2]


def tried(module, scenario, folder):
    """What crash_points or short_writes says; a process of its own, because it forks."""
    command = [sys.executable, "-m", f"tests.durability.{module}", scenario, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_kill_at_any_call_leaves_the_old_or_the_new_state(scenario, tmp_path):
    found = tried("crash_points", scenario, tmp_path)
    assert found["wrong"] == []
    assert found["kills"] >= 10


@pytest.mark.parametrize("scenario", sorted(SCENARIOS.keys() - {"link"}))
def test_a_write_that_stops_at_any_byte_leaves_the_old_or_the_new_state(scenario, tmp_path):
    found = tried("short_writes", scenario, tmp_path)
    assert found["wrong"] == []
    assert found["stopped"] >= 5


def test_a_writer_in_place_is_found_out(tmp_path):
    """The test above can fail: this is the writer that it is there to find."""
    path = tmp_path / "killed" / "a.txt"
    naive = Scenario(
        lambda folder: None if path.write_text("old") else None,
        lambda folder: None if path.write_text("new") else None,
        lambda folder: path.read_text(),
    )
    allowed = [as_json("old"), as_json("new")]
    trials = [one_kill(naive, tmp_path / "killed", point, allowed) for point in range(6)]
    assert any("neither old nor new" in problem for _, problem in trials)


# -- what reaches the disk, and when --------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch):
    """(call, path) of every fsync and rename, in order."""
    seen = []
    fsync, replace = os.fsync, os.replace

    def noting_fsync(descriptor):
        seen.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def noting_replace(source, target, **more):
        seen.append(("replace", Path(target)))
        replace(source, target, **more)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(os, "replace", noting_replace)
    return seen


def test_a_file_is_on_the_disk_before_its_name_and_the_name_before_the_return(calls, tmp_path):
    write_atomic(tmp_path / "new" / "a", "x")
    folder = tmp_path / "new"
    assert [call for call, _ in calls] == ["fsync", "fsync", "replace", "fsync"]
    assert calls[0] == ("fsync", tmp_path)  # the new folder's own name
    assert calls[1][1].parent == folder and calls[1][1].name.startswith(".a.")
    assert calls[2:] == [("replace", folder / "a"), ("fsync", folder)]


def test_all_of_a_folder_is_on_the_disk_before_its_name(calls, tmp_path):
    with workshop(tmp_path) as made:
        (made / "src").mkdir()
        for name in ("src/a", "b"):
            (made / name).write_text("x")
        put_in_place(made, tmp_path / "kept")
    synced = {path for call, path in calls[: calls.index(("replace", tmp_path / "kept"))]}
    assert {made, made / "src", made / "src" / "a", made / "b"} <= synced
    assert calls[-1] == ("fsync", tmp_path)


# -- temporary files ------------------------------------------------------------------------------


def test_what_a_dead_writer_left_is_swept_and_a_live_one_is_not(tmp_path):
    (tmp_path / ".a.0badcafe.tmp").write_text("left by a kill")
    with atomic_path(tmp_path / "a") as ours:
        write_atomic(tmp_path / "a", "another writer, meanwhile")
        assert ours.exists()
        ours.write_text("ours")
    assert (tmp_path / "a").read_text() == "ours"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_workshop_of_a_dead_maker_is_swept_and_a_live_one_is_not(tmp_path):
    (tmp_path / "work-0badcafe" / "deep").mkdir(parents=True)
    with workshop(tmp_path) as ours, workshop(tmp_path) as other:
        assert ours != other
        assert sorted(tmp_path.iterdir()) == sorted([ours, other])
    assert leftovers(tmp_path) == []


def test_a_link_survives_what_a_killed_writer_left(tmp_path):
    (tmp_path / ".latest.tmp").symlink_to("nowhere")
    put_link(tmp_path / "latest", "one")
    put_link(tmp_path / "latest", "two")
    assert (tmp_path / "latest").readlink() == Path("two")
    assert [p.name for p in tmp_path.iterdir()] == ["latest"]


# -- words ----------------------------------------------------------------------------------------


def test_a_full_disk_is_told_with_the_file_the_amount_and_what_to_try(tmp_path):
    with pytest.raises(StorageError) as caught, files.storage_errors(tmp_path / "a", 4096):
        raise OSError(28, os.strerror(28))
    assert f"{tmp_path / 'a'}: cannot write 4,096 bytes" in caught.value.message
    assert "No space left on device" in caught.value.message
    assert "bytes are free there" in caught.value.message
    assert "make room" in caught.value.hint
    assert caught.value.exit_code == 3


def test_a_folder_that_may_not_be_written_is_told(tmp_path):
    with (
        pytest.raises(StorageError, match="Permission denied") as caught,
        files.storage_errors(tmp_path / "a"),
    ):
        raise PermissionError(13, os.strerror(13), str(tmp_path / "a"))
    assert "choose another folder" in caught.value.hint


def test_an_error_that_is_not_the_file_systems_passes(tmp_path):
    with pytest.raises(FileNotFoundError), files.storage_errors(tmp_path / "a"):
        (tmp_path / "none").read_text()


def test_the_command_line_tells_of_a_full_disk_wherever_it_is_met(monkeypatch, capsys):
    def full(**more):
        raise OSError(28, os.strerror(28), "/somewhere/a.lock")

    monkeypatch.setattr(cli, "cli", full)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    said = capsys.readouterr().err
    assert caught.value.code == 3
    assert "/somewhere/a.lock: cannot write: No space left on device" in said
    assert "make room" in said
    assert "Traceback" not in said


def test_an_error_that_is_a_bug_keeps_its_traceback(monkeypatch):
    def wrong(**more):
        raise FileNotFoundError(2, "No such file", "a")

    monkeypatch.setattr(cli, "cli", wrong)
    with pytest.raises(FileNotFoundError):
        cli.main()
