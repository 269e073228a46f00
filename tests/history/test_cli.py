"""`run`, `history`, `compare` and `report --site`, as a user calls them."""

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import results
from harness.cli import main
from tests.history.folders import SILICON, row, write_run

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "history.md").read_text()
RUN = "run --board uno --virtual --preset smoke --models fastgrnn,gru --windows 5 --out"


@pytest.fixture
def harness(monkeypatch, capsys):
    """Call the command line in this process; (exit code, stdout, stderr)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return call


@pytest.fixture
def lab(tmp_path, harness):
    """A folder with three runs and their history."""
    folders = [
        write_run(tmp_path, 0, git_sha="a0" * 20),
        write_run(tmp_path, 1, [row(), row("gru")], git_sha="a1" * 20),
        write_run(tmp_path, 2, [row(**SILICON), row("gru", cycles_median=9e4)], git_sha="b2" * 20),
    ]
    assert harness("history", "--db", tmp_path / "h.db", "--add", *folders)[0] == 0
    return tmp_path


# -- real runs ------------------------------------------------------------------------------------


def real(*arguments):
    command = [sys.executable, "-m", "harness.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def real_runs(tmp_path_factory):
    """Two runs of the same models on a virtual board, as `harness run` leaves them."""
    out = tmp_path_factory.mktemp("real")
    for _ in range(2):
        done = real(*RUN.split(), out)
        assert done.returncode == 0, done.stderr
    folders = sorted(p for p in out.iterdir() if p.is_dir() and not p.is_symlink())
    assert len(folders) == 2
    return out, *folders


def slower(folder, out, model, factor):
    """A copy of a run in which one model takes more cycles."""
    copy = Path(shutil.copytree(folder, out / f"{folder.name}-slow"))
    frame = results.read_summary(copy)
    frame.loc[frame["model"] == model, ["cycles_median", "latency_ms"]] *= factor
    results.write_summary(copy, frame)
    facts = json.loads((copy / "run.json").read_text())
    results.write_json(copy / "run.json", facts | {"run_id": copy.name})
    return copy


@pytest.mark.emulated
@pytest.mark.slow
def test_every_run_is_in_the_history_and_adding_it_again_changes_nothing(real_runs, harness):
    out, *folders = real_runs
    file = out / "history.db"
    code, said, _ = harness("history", "--db", file, "--json")
    assert code == 0
    rows = json.loads(said)["rows"]
    assert {r["run_id"] for r in rows} == {f.name for f in folders}
    assert len(rows) == 4
    summary = results.read_summary(folders[0]).set_index("model")
    own = next(r for r in rows if r["run_id"] == folders[0].name and r["model"] == "gru")
    for name in ("cycles_median", "flash_bytes", "accuracy_board", "model_sha256", "firmware_id"):
        assert own[name] == summary.loc["gru", name]
    code, said_again, heard = harness("history", "--db", file, "--json", "--add", *folders)
    assert heard.count("2 rows, 0 new or changed") == 2
    assert said_again == said


@pytest.mark.emulated
@pytest.mark.slow
def test_the_same_run_twice_compares_equal_in_every_figure(real_runs, harness):
    out, first, second = real_runs
    for sides in ((first, second), ("run:previous", "run:latest")):
        code, said, _ = harness("compare", *sides, "--db", out / "history.db", "--json")
        assert code == 0
        found = json.loads(said)
        assert found["counts"] == {"same": len(found["differences"])}
        assert {d["metric"] for d in found["differences"]} >= {
            "cycles_median", "cycles_max", "flash_bytes", "model_flash_bytes", "accuracy_board",
        }  # fmt: skip


@pytest.mark.emulated
@pytest.mark.slow
def test_two_percent_slower_is_found_and_exactly_that_cell_named(real_runs, harness, tmp_path):
    _, first, second = real_runs
    slow = slower(second, tmp_path, "gru", 1.02)
    code, said, _ = harness("compare", first, slow)
    assert code == 1
    regressions = re.findall(r"^REGRESSION (.*): (\w+) ", said, re.MULTILINE)
    assert regressions == [
        ("gru on uno (virtual), digits, smoke, 5 windows", "cycles_median"),
    ]
    assert harness("compare", slow, first)[0] == 0


@pytest.mark.emulated
@pytest.mark.slow
def test_a_damaged_history_does_not_cost_the_run(tmp_path):
    (tmp_path / "history.db").write_bytes(b"a letter to a friend\n" * 100)
    done = real(*RUN.replace("fastgrnn,gru", "fastgrnn").split(), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the run is not in the history" in done.stderr
    assert "harness history --add" in done.stderr
    assert (tmp_path / "history.db").read_bytes() == b"a letter to a friend\n" * 100


# -- the commands ---------------------------------------------------------------------------------


def test_the_table_has_a_line_for_every_cell(harness, lab):
    code, said, _ = harness("history", "--db", lab / "h.db")
    assert code == 0
    lines = [line for line in said.splitlines() if "uno" in line]
    assert len(lines) == 3
    assert any("silicon" in line for line in lines)
    assert "-43.8 %" in said  # gru, from 160,000 to 90,000


def test_board_model_data_set_and_last_choose(harness, lab):
    options = ("history", "--db", lab / "h.db", "--json")
    said = json.loads(harness(*options, "--model", "gru")[1])
    assert [r["run_id"] for r in said["rows"]] == ["run1", "run2"]
    said = json.loads(harness(*options, "--model", "gru", "--last", "1")[1])
    assert [r["run_id"] for r in said["rows"]] == ["run2"]
    code, _, heard = harness(*options, "--board", "unu")
    assert code == 2
    assert "'uno'" in heard
    assert harness(*options, "--dataset", "har2")[0] == 2


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_plot_is_a_file_of_its_kind(harness, lab, suffix):
    file = lab / f"plot.{suffix}"
    assert harness("history", "--db", lab / "h.db", "--plot", file)[0] == 0
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert file.read_bytes().startswith(begins)


def test_the_csv_has_every_row(harness, lab):
    assert harness("history", "--db", lab / "h.db", "--csv", lab / "h.csv")[0] == 0
    with (lab / "h.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert {r["cycles_median"] for r in rows} == {"160000.0", "90000.0"}


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        ("compare run:run0 run:run1", 0, "7 same of 7 figures compared"),
        ("compare commit:a1 commit:b2", 0, "only in the first"),
        ("compare model:fastgrnn,run:run1 model:gru,run:run1", 0, "7 same of 7"),
        ("compare run:run2,model:gru run:run1,model:gru", 1, "REGRESSION gru on uno (virtual)"),
        ("compare kind:virtual,model:fastgrnn kind:silicon", 3, "nothing of 0 figures compared"),
        (
            "compare kind:virtual,model:fastgrnn kind:silicon --across-kinds", 0,
            "ACROSS KINDS: figures of silicon stand beside those of virtual boards",
        ),
        ("compare run:run7 run:run1", 2, "run:run7 matches nothing"),
        ("compare rnu:run0 run:run1", 2, "'run'"),
        ("compare nowhere run:run1", 2, "no results folder and no selector"),
        ("history --plot x.jpg", 2, ".png, .svg, .pdf"),
        ("history somewhere", 2, "--add and folders belong together"),
        ("history --add", 2, "--add and folders belong together"),
        ("history --add /", 2, "no run.json"),
        ("history --last 0", 2, "--last"),
    ],
)  # fmt: skip
def test_exit_codes_and_words(harness, lab, arguments, code, words):
    found, said, heard = harness(*arguments.split(), "--db", lab / "h.db")
    assert found == code, heard
    assert words in said + heard
    assert "Traceback" not in heard


def test_no_history_yet(harness, tmp_path):
    for command in (("history",), ("compare", "run:a", "run:b"), ("report", "--site", tmp_path)):
        code, _, heard = harness(*command, "--db", tmp_path / "h.db")
        assert code == 2
        assert "no history yet" in heard


def test_a_comparison_as_json_is_one_document(harness, lab):
    code, said, _ = harness(
        "compare", "run:run2,model:gru", "run:run1,model:gru", "--db", lab / "h.db", "--json"
    )
    found = json.loads(said)
    assert code == found["exit_code"] == 1
    (worse,) = [d for d in found["differences"] if d["verdict"] == "regression"]
    assert worse["cell"]["model"] == "gru"
    assert (worse["before"], worse["after"], worse["noise"]) == (90_000, 160_000, "exact")
    assert worse["changed"] == ["commit"]


def test_the_site_is_written_from_the_command_line(harness, lab):
    code, said, _ = harness("report", "--site", lab / "site", "--db", lab / "h.db")
    assert code == 0
    assert Path(said.strip()) == lab / "site" / "index.html"
    assert (lab / "site" / "index.html").is_file()


# -- the document ---------------------------------------------------------------------------------


def commands():
    blocks = re.findall(r"^```sh\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.emulated
@pytest.mark.slow
def test_the_documents_commands_run_in_order(tmp_path):
    assert len(commands()) >= 5
    for line in commands():
        words = shlex.split(line)
        assert words[0] == "harness"
        command = [sys.executable, "-m", "harness.cli", *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def test_the_document_names_every_selector_and_default():
    from harness.history import noise, select

    for name in select.TERMS:
        assert f"`{name}`" in DOCUMENT, name
    for share in (
        noise.REPEAT_DEFAULT, noise.LAYOUT_DEFAULT_ELSEWHERE, noise.CLOCK_REPEAT_DEFAULT,
    ):  # fmt: skip
        assert f"{100 * share:g} %" in DOCUMENT, share
    assert f"{noise.STACK_DEFAULT_BYTES:g} bytes" in DOCUMENT
