"""A site of a small lab: two boards, silicon and virtual, six nights, good and bad news."""

import pytest

from harness.history import store
from harness.report.site import write_site
from tests.history.folders import SILICON, row, write_run

HOSTILE = '<script>alert("x")</script>'


def nights(out):
    """The results folders of six nights."""
    for night in range(5):
        flash = [8800, 8750, 8765, 8765, 8765][night]
        yield write_run(out, night, [row(flash_bytes=flash), row("gru", cycles_median=2e5 + night)])
    hostile = dict.fromkeys(("message", "compiler", "dataset"), HOSTILE)
    last = [row(cycles_median=163_200.0), row("gru", cycles_median=1.9e5)]
    yield write_run(out, 5, [*last, row(HOSTILE, cycles_median=1e6, **hostile)])
    chip = {"board": "mkr1000", "clock_hz": 48_000_000, **SILICON}
    yield write_run(out, 6, [row(**chip, cycles_median=88_000.0), row("gru", **chip)])
    trouble = {"status": "lab-error", "message": f"unplugged {HOSTILE}", "cycles_median": None}
    yield write_run(out, 7, [row(**chip | trouble), row("gru", **chip)])
    yield write_run(
        out, 8, [row("lstm", board="due", timing_source="estimated-bracket", cycles_median=None,
                     cycles_lo=50_000.0, cycles_hi=70_000.0)],
    )  # fmt: skip


@pytest.fixture(scope="session")
def history(tmp_path_factory):
    """The history file's entries."""
    out = tmp_path_factory.mktemp("results")
    for folder in nights(out):
        store.add_folder(out / "history.db", folder)
    (out / "run5" / "report.html").write_text("<!DOCTYPE html><title>run5</title>")
    return store.read(out / "history.db")


@pytest.fixture(scope="session")
def site(history, tmp_path_factory):
    """The folder of the written site."""
    return write_site(history, tmp_path_factory.mktemp("site")).parent
