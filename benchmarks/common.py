"""What the benchmark scripts share: random models of given shapes, put on a virtual board."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from harness import lab  # noqa: E402
from harness.boards import find_kind, load_kinds  # noqa: E402
from harness.firmware.build import Firmware, build_firmware  # noqa: E402
from harness.link.dut import Dut  # noqa: E402
from harness.qmodel import QModel  # noqa: E402
from harness.reference.model import bench_window  # noqa: E402

VIRTUAL = [name for name, kind in load_kinds().items() if kind.has_virtual_twin]


def arguments(description: str, *, one_board: bool = False) -> argparse.Namespace:
    """`--json`, and `--board NAME` where a benchmark takes one."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    if one_board:
        parser.add_argument("--board", choices=VIRTUAL, required=True)
    return parser.parse_args()


@contextlib.contextmanager
def on_board(name: str) -> Iterator[lab.Attachment]:
    """A virtual board of this kind, for the length of the block."""
    board = find_kind(name).virtual()
    with (
        tempfile.TemporaryDirectory() as state,
        lab.attached(board, port=None, state_dir=Path(state)) as attachment,
    ):
        yield attachment


@contextlib.contextmanager
def running(attachment: lab.Attachment, model: QModel) -> Iterator[tuple[Dut, Firmware]]:
    """The model's firmware on the board, open."""
    firmware = build_firmware(model, attachment.board, bench_raw=bench_window(model))
    with tempfile.TemporaryDirectory() as logs:
        dut, _ = lab.ensure_firmware(attachment, model, firmware, log=Path(logs) / "flash.log")
        try:
            yield dut, firmware
        finally:
            dut.close()


def emit(result: dict[str, Any], as_json: bool) -> None:
    """The result: JSON, or a few readable lines."""
    if as_json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        if isinstance(value, list):
            for row in value:
                print(f"{key}: " + "  ".join(f"{k}={v}" for k, v in row.items()))
        else:
            print(f"{key}: {value}")
