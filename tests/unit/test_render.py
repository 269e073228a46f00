"""QModel to C sources: the same bytes every time, the files that are needed, storage by bytes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.boards import load_kinds
from harness.errors import ModelFileError, UsageError
from harness.firmware.cores import PORTABLE
from harness.firmware.hals import HALS
from harness.firmware.plan import choose_form
from harness.firmware.render import firmware_id_flag, render_sources, source_digest
from harness.firmware.storage import (
    STORAGES,
    Product,
    allowed,
    most_bytes,
    pack,
    packed_size,
)
from harness.qmodel import QModel
from harness.reference import CELLS
from tests.models import random_qmodel, random_raw


def render(model, destination, **changes):
    settings = {
        "board_name": "uno",
        "hal": "avr",
        "clock_hz": 16_000_000,
        "baud": 115_200,
        "max_payload": 128,
        "bench_raw": random_raw(model, 1)[0],
    }
    return render_sources(model, destination=destination, **(settings | changes))


def values_of(rendered, name):
    """The numbers of one array of model_data.c."""
    text = (rendered.folder / "model_data.c").read_text()
    found = re.search(rf" {name}\[(\d+)\] RNN_FLASH = \{{(.*?)\}};", text, re.DOTALL)
    assert found, name
    body = re.sub(r"/\*.*?\*/", "", found[2])
    numbers = [eval(n.replace("L", "")) for n in body.replace("\n", "").split(",") if n.strip()]
    assert len(numbers) == int(found[1])
    return np.array(numbers)


def macros_of(rendered):
    text = (rendered.folder / "model_data.h").read_text()
    return dict(re.findall(r"#define (RNN_\w+) (\S+)", text))


def test_equal_arguments_give_equal_bytes(tmp_path):
    model = random_qmodel("gru", density=0.4)
    one, two = (render(model, tmp_path / name) for name in ("one", "two"))
    assert one.digest == two.digest == source_digest(tmp_path / "one")
    for path in one.folder.iterdir():
        assert path.read_bytes() == (two.folder / path.name).read_bytes()
    assert render(model, tmp_path / "three", baud=9600).digest != one.digest


def test_digest_sees_names_and_bytes(tmp_path):
    (tmp_path / "a").write_text("x")
    before = source_digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    renamed = source_digest(tmp_path)
    (tmp_path / "b").write_text("y")
    assert len({before, renamed, source_digest(tmp_path)}) == 3


def test_what_was_there_before_is_gone(tmp_path):
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "stale.c").write_text("#error stale")
    rendered = render(random_qmodel("lstm"), folder)
    assert "stale.c" not in {path.name for path in folder.iterdir()}
    assert rendered.folder == folder
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("hal", HALS)
def test_one_cell_one_hal_and_what_they_need(cell, hal, tmp_path):
    rendered = render(random_qmodel(cell), tmp_path / "src", hal=hal, max_payload=512)
    names = {path.name for path in rendered.sources}
    assert {n for n in names if n.startswith("rnn_cell_")} == {
        f"rnn_cell_{CELLS[cell].source or cell}.c"
    }
    assert {Path(file).name for file in HALS[hal].files if not file.endswith(".ld")} <= {
        path.name for path in rendered.folder.iterdir()
    }
    assert {n for n in names if n.startswith("hal_")} <= {Path(f).name for f in HALS[hal].files}
    bare = hal in ("samd21", "sam3x", "nrf52840", "stm32l4r5")
    assert ("main.c" in names) == (bare or hal == "avr")
    assert (rendered.linker_script is not None) == bare
    headers = {path.name for path in rendered.folder.glob("*.h")}
    for path in rendered.folder.iterdir():  # self-contained
        includes = re.findall(r'#include "(.*?)"', path.read_text())
        assert set(includes) <= headers, path.name


def test_only_the_kernels_that_are_called(tmp_path):
    model = random_qmodel("fastgrnn", state_bits=8, density=0.2, companded=False)
    rendered = render(model, tmp_path / "src", optimise="index")
    kernels = {p.name for p in rendered.sources if p.name.startswith("rnn_matvec")}
    assert kernels == {"rnn_matvec_index_s8_s8.c", "rnn_matvec_dense_s8_s8.c"}
    assert not (rendered.folder / "rnn_compand_s16.c").exists()
    assert "rnn_table_compander" not in (rendered.folder / "model_data.c").read_text()


def test_data_is_the_models(tmp_path):
    model = random_qmodel("lstm", rank_w=2, features=3, hidden=5, density=0.5)
    raw = random_raw(model, 1)[0]
    rendered = render(model, tmp_path / "src", bench_raw=raw)
    for name, array in model.tensors.items():
        packed = pack(array, rendered.storage[name]) if name in rendered.storage else array.ravel()
        kind = "table" if name.startswith("pre_") else "model"
        np.testing.assert_array_equal(values_of(rendered, f"rnn_{kind}_{name}"), packed)
    for name, table in model.tables.items():
        np.testing.assert_array_equal(values_of(rendered, f"rnn_table_{name}"), table)
    np.testing.assert_array_equal(values_of(rendered, "rnn_bench_window"), raw.ravel())
    macros = macros_of(rendered)
    assert macros["RNN_ROWS"] == "20"
    assert (macros["RNN_W_RANK"], macros["RNN_U_RANK"]) == ("2", "0")
    assert (macros["RNN_H_TYPE"], macros["RNN_X_TYPE"]) == ("s16", "s8")
    assert int(macros["RNN_W_ALIGN"]) == model.shifts["w_align"]
    assert int(macros["RNN_W_MID"]) == model.shifts["w_mid"]
    assert int(macros["RNN_TC_SHIFT"]) == model.shifts["tc"]


def test_bytes_are_counted(tmp_path):
    model = random_qmodel("fastgrnn", features=4, hidden=6, classes=3)
    rendered = render(model, tmp_path / "src", optimise="dense")
    input_stage = 4 * (1 + 2 + 4)
    weights = 6 * 4 + 6 * 6 + 2 * 6 + 3 * 6 + 3 * 4
    assert rendered.model_bytes == weights
    assert rendered.table_bytes == 256 + 256 + 512 + 384 + input_stage
    assert rendered.bench_bytes == 2 * model.steps * 4


def test_most_negative_numbers_are_written_legally(tmp_path):
    model = random_qmodel("ornn", hidden=2, classes=2)
    low = np.array([-(2**31), 2**31 - 1], np.int32)
    tensors = dict(model.tensors) | {"b_F": low, "F": np.zeros((2, 2), np.int8)}
    try:
        model = replace(model, tensors=tensors)
    except ModelFileError:  # -2^31 is beyond what the proof allows: take the next
        low = low + np.array([1, 0], np.int32)
        model = replace(model, tensors=tensors | {"b_F": low})
    raw = np.full((1, model.dims.features), -32768, np.int16)
    rendered = render(model, tmp_path / "src", bench_raw=raw)
    np.testing.assert_array_equal(values_of(rendered, "rnn_model_b_F"), low)
    assert "-32768" not in (rendered.folder / "model_data.c").read_text()
    assert (values_of(rendered, "rnn_bench_window") == -32768).all()


def test_mistakes_are_named(tmp_path):
    model = random_qmodel("fastgrnn", features=9)
    with pytest.raises(UsageError, match="unknown HAL 'arv'") as error:
        render(model, tmp_path / "src", hal="arv")
    assert "'avr'" in error.value.hint
    with pytest.raises(UsageError, match="unknown choice to optimise for 'denze'"):
        render(model, tmp_path / "src", optimise="denze")
    with pytest.raises(UsageError, match="one time step of 9 features needs 20"):
        render(model, tmp_path / "src", max_payload=19)
    for name in ("", "seventeen letters", "µC"):
        with pytest.raises(UsageError, match="ASCII"):
            render(model, tmp_path / "src", board_name=name)
    with pytest.raises(ValueError, match="D=9"):
        render(model, tmp_path / "src", bench_raw=np.zeros((4, 8), np.int16))
    tables = dict(model.tables) | {"compander": -model.tables["compander"]}
    with pytest.raises(ModelFileError, match="magnitudes"):
        render(replace(model, tables=tables), tmp_path / "src")
    assert not (tmp_path / "src").exists()


def test_firmware_id_is_a_list_of_constants():
    assert firmware_id_flag(bytes(range(8))) == (
        "-DRNN_FIRMWARE_ID=0x00,0x01,0x02,0x03,0x04,0x05,0x06,0x07"
    )
    with pytest.raises(ValueError, match="8"):
        firmware_id_flag(b"short")


# -- storage ---------------------------------------------------------------------------------------


def pick(matrix, optimise):
    """The name of the portable form chosen for a matrix times an int16 vector."""
    product = Product("U", matrix, "s16", np.full(matrix.shape[1], 1 << 15))
    return choose_form(product, PORTABLE, optimise).name


def unpack(packed, shape, storage):
    """The matrix again, by the words of rnn_matvec.h."""
    stream = iter(packed.view(np.uint8).tolist())
    matrix = np.zeros(shape, np.int8)
    for row in matrix:
        if storage == "dense":
            row[:] = np.array([next(stream) for _ in row], np.uint8).view(np.int8)
        elif storage == "index":
            for _ in range(next(stream)):
                column = next(stream)
                row[column] = np.uint8(next(stream)).view(np.int8)
        else:
            bits = [next(stream) for _ in range(-(-len(row) // 8))]
            for column in range(len(row)):
                if bits[column // 8] >> (column % 8) & 1:
                    row[column] = np.uint8(next(stream)).view(np.int8)
    assert next(stream, None) is None
    return matrix


@given(
    rows=st.integers(1, 9),
    cols=st.integers(1, 300),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_packing_loses_nothing(rows, cols, density, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-128, 128, (rows, cols)).astype(np.int8)
    matrix[rng.random(matrix.shape) >= density] = 0
    for storage in filter(lambda s: allowed(matrix, s), STORAGES):
        packed = pack(matrix, storage)
        assert packed.dtype == np.int8
        assert len(packed) == packed_size(matrix, storage)
        np.testing.assert_array_equal(unpack(packed, matrix.shape, storage), matrix)
    best = pick(matrix, "size")
    assert all(
        packed_size(matrix, best) <= packed_size(matrix, s) for s in STORAGES if allowed(matrix, s)
    )
    assert packed_size(matrix, best) <= most_bytes(*matrix.shape, np.count_nonzero(matrix))


def test_storage_by_density():
    matrix = np.zeros((8, 64), np.int8)
    assert pick(matrix, "size") == "index"
    matrix[:, ::5] = 3
    assert pick(matrix, "size") == "bitmap"
    assert pick(matrix, "balanced") == "index"
    matrix[:] = 3
    assert pick(matrix, "size") == pick(matrix, "balanced") == "dense"


def test_an_index_list_has_a_byte_for_column_and_count():
    wide = np.eye(2, 257, dtype=np.int8)
    full = np.ones((1, 256), np.int8)
    for matrix in (wide, full):
        assert not allowed(matrix, "index")
        assert pick(matrix, "index") == "bitmap"
        assert pick(matrix, "size") != "index"
    assert allowed(full[:, :255], "index")
    assert allowed(np.eye(2, 256, dtype=np.int8), "index")


def test_a_model_loaded_from_its_file_gives_the_same_bytes(tmp_path):
    model = random_qmodel("gru")
    model.save(tmp_path / "m.npz")
    loaded = QModel.load(tmp_path / "m.npz")
    assert list(loaded.shifts) != list(model.shifts)  # the file sorts them
    digests = set()
    for i, one in enumerate((model, loaded)):
        rendered = render_sources(
            one,
            board_name="uno",
            hal="avr",
            clock_hz=16_000_000,
            baud=115_200,
            max_payload=128,
            bench_raw=random_raw(model, 1)[0],
            destination=tmp_path / str(i),
        )
        digests.add(rendered.digest)
    assert len(digests) == 1


def test_the_linker_script_says_where_the_memories_lie(tmp_path):
    """The Due's flash and RAM as 11057C's product mapping has them."""
    rendered = render(random_qmodel("rnn"), tmp_path / "src", hal="sam3x", max_payload=512)
    words = rendered.linker_script.read_text()
    assert "FLASH (rx) : ORIGIN = 0x00080000, LENGTH = 0x00080000" in words
    assert "RAM (rwx) : ORIGIN = 0x20070000, LENGTH = 0x00018000" in words


def test_memories_of_a_hal_are_those_of_its_boards():
    for kind in load_kinds().values():
        for board in (kind.silicon(), kind.virtual()):
            memory = HALS[board.hal].memory
            if memory:
                assert memory.flash_bytes == board.flash_free_bytes, board.kind
                assert memory.ram_bytes == board.ram_bytes, board.kind
