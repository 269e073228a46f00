"""The report: everything the run recorded, nothing it did not, safe to open."""

import html
import json
import re

import pytest

from harness import plots, report, results
from harness.errors import UsageError

HOSTILE = "<script>alert(1)</script>"
SHA = "0123456789abcdef0123456789abcdef01234567"


def summary_rows():
    common = {
        "run_id": "r1", "board": "uno", "board_kind": "virtual", "mcu": "ATmega328P",
        "clock_hz": 16_000_000, "dataset": "digits", "seed": 7, "status": "ok",
    }  # fmt: skip
    numbers = {
        "timing_source": "emulated-cycles", "accuracy_float": 0.96, "accuracy_host": 0.9425,
        "accuracy_board": 0.9425, "windows": 400, "mismatches": 0, "model_flash_bytes": 1234,
        "table_flash_bytes": 512, "flash_bytes": 8765, "ram_static_bytes": 654,
        "stack_peak_bytes": 210, "cycles_median": 160_000.0, "cycles_p95": 161_000,
        "cycles_max": 162_000, "latency_ms": 10.0, "compiler": "avr-gcc 7.3.0",
        "compiler_flags": "-Os -flto", "model_sha256": "ab" * 32, "elf_sha256": "cd" * 32,
        "uploader": "avrdude 7.1", "hidden": 16,
    }  # fmt: skip
    return [
        common | numbers | {"model": "fastgrnn"},
        common | numbers | {"model": "gru", "stack_peak_bytes": None, "hidden": 12},
        common | numbers | {"model": HOSTILE, "message": f"odd {HOSTILE}"},
        common | {"model": "lstm", "status": "does-not-fit", "message": "over by 1,234 bytes",
                  "accuracy_float": 0.95},
        common | {"model": "fastgrnn-q", "status": "host-only", "timing_source": "none"},
    ]  # fmt: skip


def run_record():
    return {
        "run_id": "r1", "started": "2026-01-01T10:00:00+00:00",
        "finished": "2026-01-01T11:00:00+00:00", "git_sha": SHA, "git_dirty": True,
        "harness_version": "0.1.0", "python": "3.11.2", "packages": {"numpy": "2.0", "torch": None},
        "board": {"title": "Arduino Uno R3", "mcu": "ATmega328P", "clock_hz": 16_000_000,
                  "flash_bytes": 32_768, "flash_reserved_bytes": 512, "ram_bytes": 2_048},
        "dataset": {"name": "digits", "licence": "CC BY 4.0", "sha256": "ef" * 32,
                    "windows_test": 540, "source": "https://example.org/digits"},
        "options": {"board": "uno", "virtual": True, "dataset": "digits",
                    "models": ["fastgrnn", "gru"], "preset": "quick", "windows": 400, "seed": 7,
                    "compand": True, "port": None, "data_dir": "/somewhere/data"},
        "preset": "quick", "seed": 7, "tools": {"avr-gcc": "7.3.0"},
        "stages": {
            "gru": [{"stage": "Q", "accuracy": 0.91, "accuracy_kind": "integer", "bytes": 2000,
                     "detail": HOSTILE}],
            "fastgrnn": [
                {"stage": "low-rank", "accuracy_float": 0.955, "accuracy_integer": None,
                 "model_bytes": 4936, "density_w": 1.0, "evaluated_on": "validation"},
                {"stage": "quantised", "accuracy_float": 0.955, "accuracy_integer": 0.9401,
                 "model_bytes": 1234, "evaluated_on": "validation"},
            ],
        },
    }  # fmt: skip


def window_rows():
    return [
        results.WindowRow("fastgrnn", k, k % 3, k % 3, k % 3, [0], [0], 1, [0] * 3, [0] * 3, 0)
        for k in range(9)
    ]


def write_folder(folder, rows=None, run=None, windows=None):
    results.write_summary(folder, results.summary_frame(summary_rows() if rows is None else rows))
    results.write_windows(
        folder, results.windows_frame(window_rows() if windows is None else windows)
    )
    results.write_json(folder / "run.json", run_record() if run is None else run)
    return folder


def page_of(folder, **parts):
    """The page without its pictures (their base64 could spell anything)."""
    page = report.write_report(write_folder(folder, **parts)).read_text()
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "base64,", page)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    report.write_report(write_folder(folder))
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "base64,", (folder / "report.html").read_text())


@pytest.fixture
def without_pictures(monkeypatch):
    """For pages whose figures do not matter: drawing is what takes time."""
    monkeypatch.setattr(plots, "all_plots", lambda *_, **__: [])


def cells(page, model):
    """Cells of a model's row in the headline table."""
    name = html.escape(model)
    row = re.search(rf'<th scope="row" title="[^"]*">{re.escape(name)}</th>(.*?)</tr>', page, re.S)
    return re.findall(r"<td[^>]*>(.*?)</td>", row.group(1), re.S)


def words(page):
    """What a reader sees."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    return html.unescape(re.sub(r"<[^>]*>", " ", body))


# --- honest ------------------------------------------------------------------------------------


def test_the_first_thing_on_the_page_says_virtual(page):
    body = page.split("<body>")[1]
    assert words(body).split()[:6] == ["VIRTUAL", "BOARD", "emulated", "cycles,", "not", "measured"]
    assert "<title>VIRTUAL BOARD" in page


def test_silicon_says_silicon_and_never_virtual(tmp_path):
    rows = [row | {"board_kind": "silicon"} for row in summary_rows()]
    for row in rows:
        row["timing_source"] = "timer1"
    page = page_of(tmp_path, rows=rows)
    assert words(page.split("<body>")[1]).split()[0] == "SILICON"
    assert "VIRTUAL" not in page
    assert "emulated" not in words(page)


def test_rows_that_do_not_know_their_board_are_not_called_silicon(tmp_path, without_pictures):
    page = page_of(
        tmp_path, rows=[row | {"board_kind": None} for row in summary_rows()[:1]], run={}
    )
    banner = words(page.split("<body>")[1].split("</div>")[0])
    assert "ORIGIN NOT RECORDED" in banner or "MIXED" in banner
    assert not banner.strip().startswith("SILICON")


def test_values_of_the_table(page):
    found = cells(page, "fastgrnn")
    low, high = "91.5", "96.1"  # Wilson, 0.9425 of 400
    assert found == [
        "ok", "96.00", "94.25", f"94.25<small>{low} to {high}</small>", "400", "0",
        "1\u202f234", "8\u202f765", "654", "210", "160\u202f000", "10.0",
    ]  # fmt: skip


def test_a_bracket_is_shown_as_a_bracket_and_no_latency_with_it(tmp_path, without_pictures):
    bracket = {"timing_source": "estimated-bracket", "cycles_lo": 120_000.0, "cycles_hi": 191_000.0}
    for name in ("cycles_median", "cycles_p95", "cycles_max", "latency_ms"):
        bracket[name] = None
    page = page_of(tmp_path, rows=[summary_rows()[0] | bracket])
    assert cells(page, "fastgrnn")[-2:] == ["120\u202f000 to 191\u202f000", "–"]
    banner = words(page.split("<body>")[1].split("</div>")[0])
    assert "cycles estimated as a bracket, not measured on silicon" in banner


def test_what_was_not_measured_is_a_dash_not_zero(page):
    assert cells(page, "gru")[9] == "–"
    assert cells(page, "lstm") == ["does-not-fit", "95.00"] + ["–"] * 10
    assert cells(page, "fastgrnn-q") == ["host-only"] + ["–"] * 11


def test_no_word_of_pandas_reaches_the_page(page):
    said = words(page)
    assert not re.search(r"\b[Nn]a[Nn]\b|<NA>|\bNone\b|\bNaT\b", said)


def test_what_does_not_fit_is_shown_with_its_reason(page):
    assert "lstm (does-not-fit) : over by 1,234 bytes" in re.sub(r"\s+", " ", words(page))
    assert "1 does-not-fit" in words(page)
    assert "Not plotted: lstm (does not fit), fastgrnn-q (host only)." in words(page)


def test_mismatches_are_counted_over_all_windows(tmp_path, page, without_pictures):
    assert "0 of 1\u202f200 windows with logits other than the reference" in words(page)
    rows = summary_rows()
    rows[1] |= {"status": "mismatch", "mismatches": 3, "message": "3 windows"}
    other = page_of(tmp_path, rows=rows)
    assert "3 of 1\u202f200 windows" in words(other)
    assert cells(other, "gru")[0] == "mismatch"


def test_an_unfinished_run_says_so(tmp_path, page, without_pictures):
    assert "UNFINISHED" not in page
    assert "UNFINISHED RUN" in page_of(tmp_path, run=run_record() | {"finished": None})


def test_stages_follow_the_table_and_say_what_was_judged(page):
    part = page.split('id="compression"')[1].split("<h2")[0]
    said = re.sub(r"[ \n]+", " ", words("<p" + part))
    assert said.index("fastgrnn") < said.index("gru")
    assert "low-rank L, float 95.50 float, validation 4\u202f936 1.0 × density_w 1" in said
    assert "quantised Q, integer 94.01 integer, validation 1\u202f234 4.0 ×" in said
    assert "Q byte quantised 91.00 integer 2\u202f000 1.0 ×" in said


def test_flash_by_part_is_shown_for_what_was_built(tmp_path, page, without_pictures):
    parts = {"kernel": 2000, "link": 900, "app": 2300, "hal": 600, "libc": 240, "other": 979}
    assert sum(parts.values()) + 1234 + 512 == 8765
    rows = summary_rows()
    rows[0] |= {f"{part}_flash_bytes": size for part, size in parts.items()}
    table = page_of(tmp_path, rows=rows).split('id="bytes"')[1].split("<h2")[0]
    assert re.search(r"model tables kernels link app HAL C library gaps flash", flat(table))
    assert (
        "fastgrnn 1\u202f234 512 2\u202f000 900 2\u202f300 600 240 979 8\u202f765 654 210"
        in flat(table)
    )
    assert "gru 1\u202f234 512 – – – – – – 8\u202f765 654 –" in flat(table)  # parts not known
    assert "lstm" not in table  # did not fit: no image
    assert "kernel_" not in page.split('id="details"')[1]


def flat(part):
    return re.sub(r"[ \n]+", " ", words("<p" + part))


# --- safe and self-contained -------------------------------------------------------------------


def test_hostile_text_is_escaped(page):
    assert "<script" not in page
    assert page.count(html.escape(HOSTILE)) >= 5  # table, message, stage, hashes, caption …


def test_nothing_is_loaded_from_elsewhere(page):
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)|(?:src|href)\s*=\s*[^"']""", page)
    assert "url(" not in page
    assert "@import" not in page
    assert "https://example.org/digits" in page  # as words only


def test_all_models_and_all_pictures(folder, page):
    for row in summary_rows():
        assert cells(page, row["model"])
    assert (folder / "report.html").read_text().count("data:image/svg+xml;base64,") == 5
    for name in ("accuracy_vs_bytes", "accuracy_vs_latency", "latency", "memory", "confusion"):
        assert (folder / "plots" / f"{name}.png").stat().st_size > 10_000
        assert (folder / "plots" / f"{name}.svg").stat().st_size > 10_000


def test_the_same_folder_gives_the_same_page(folder, tmp_path):
    again = report.write_report(write_folder(tmp_path))
    assert again.read_bytes() == (folder / "report.html").read_bytes()
    assert not list(tmp_path.glob(".*"))


# --- provenance and repeating ------------------------------------------------------------------


def test_provenance_is_there(page):
    said = words(page)
    for fact in (SHA, "CC BY 4.0", "ef" * 32, "ab" * 32, "cd" * 32, "avr-gcc 7.3.0", "-Os -flto",
                 "avrdude 7.1", "0.1.0", "3.11.2", "Arduino Uno R3"):  # fmt: skip
        assert fact in said, fact
    assert re.search(r"git_dirty\s+yes", said)
    assert re.search(r"seed\s+7\b", said)
    assert "uncommitted changes" in said


def test_columns_that_differ_are_listed_by_model(page):
    part = page.split('id="details"')[1].split("<h2")[0]
    assert re.search(r'title="hidden">hidden</th><td>16</td><td>12</td>', part)
    assert 'title="mcu"' not in part  # the same for all: listed once, under provenance


def test_repeat_names_commit_and_options_but_no_place():
    assert report.repeat_commands(run_record()) == [
        f"git checkout {SHA}",
        "harness run --board uno --virtual --dataset digits --models fastgrnn,gru "
        "--preset quick --windows 400 --seed 7",
    ]


def test_repeat_of_all_windows_quotes_and_switches():
    options = {"board": "a b; rm x", "windows": None, "compand": False, "port": "/dev/ttyX"}
    run = {"options": options, "dataset": {"windows_test": 540}, "git_sha": "$(x)"}
    assert report.repeat_commands(run) == [
        "harness run --board 'a b; rm x' --windows all --no-compand"
    ]
    assert report.repeat_commands({}) == ["harness run"]


# --- little or damaged input -------------------------------------------------------------------


def test_every_key_of_run_json_is_optional(tmp_path, without_pictures):
    page = page_of(tmp_path, run={})
    assert "VIRTUAL BOARD" in page
    assert "UNFINISHED RUN" in page
    assert tmp_path.name in page


def test_odd_values_in_run_json_do_not_break_the_page(tmp_path):
    odd = {
        "board": "uno", "dataset": ["digits"], "stages": {"gru": [1, {"stage": None}], "x": 3},
        "options": None, "packages": {"numpy": float("nan")}, "tools": [], "git_dirty": None,
        "stray": {"a": [None, True]},
    }  # fmt: skip
    write_folder(tmp_path, windows=[])
    (tmp_path / "run.json").write_text(json.dumps(odd))
    said = words(report.write_report(tmp_path).read_text())
    assert re.search(r"stray\s+a –, yes", said)


def test_a_run_without_rows_yet(tmp_path):
    run = run_record() | {"finished": None}
    run["board"]["board_kind"] = "virtual"
    page = page_of(tmp_path, rows=[], windows=[], run=run)
    assert "VIRTUAL BOARD" in page
    assert "UNFINISHED RUN" in page


@pytest.mark.parametrize("name", ["run.json", "summary.csv", "windows.parquet"])
def test_a_missing_file_is_named(tmp_path, name):
    write_folder(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UsageError, match=f"missing {re.escape(name)}$") as caught:
        report.write_report(tmp_path)
    assert caught.value.hint
    assert not (tmp_path / "report.html").exists()


def test_a_folder_that_is_no_results_folder(tmp_path):
    with pytest.raises(UsageError, match=r"missing run.json, summary.csv, windows.parquet"):
        report.write_report(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("run.json", "{", "not JSON"),
        ("run.json", "[]", "JSON object"),
        ("run.json", b"\xff\xfe", "not JSON"),
        ("summary.csv", "", "cannot read"),
        ("summary.csv", "a,b\n1,2\n", "no column 'model'"),
        ("summary.csv", "model,windows\nx,many\n", "cannot read"),
        ("windows.parquet", "PAR1", "cannot read"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content, complaint):
    write_folder(tmp_path)
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=complaint) as caught:
        report.write_report(tmp_path)
    assert name in caught.value.message


def test_windows_without_labels_are_refused(tmp_path):
    write_folder(tmp_path)
    results.write_windows(tmp_path, results.windows_frame([]).drop(columns=["label_board"]))
    with pytest.raises(UsageError, match="no column label_board"):
        report.write_report(tmp_path)
