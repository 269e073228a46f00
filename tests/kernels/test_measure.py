"""app/measure.c over a counter that is made up: what is subtracted, summed, and given up."""

from __future__ import annotations

import ctypes
import subprocess

import pytest

from .conftest import FLAGS, SANITIZE, TEMPLATES

UNKNOWN = 0xFFFFFFFF
FAKES = """
#include "hal.h"
#include "measure.h"
#include "rnn_model.h"
uint32_t fake_cycles[8];
uint8_t fake_next;
void fake_restart(void);
void fake_restart(void) { fake_next = 0; }
void hal_stretch_begin(void) {}
uint32_t hal_stretch_end(void) { return fake_cycles[fake_next++]; }
void rnn_model_reset(void) {}
void rnn_model_step(const int16_t *raw) { (void)raw; }
void rnn_model_classify(void) {}
"""
MODEL_DATA = """
#include "rnn_flash.h"
#define RNN_STATE_BITS 16
#define RNN_HIDDEN 1
#define RNN_INPUTS 1
#define RNN_H_TYPE s16
#define RNN_X_TYPE s8
"""


@pytest.fixture(scope="module")
def measure(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measure")
    (folder / "fakes.c").write_text(FAKES)
    (folder / "model_data.h").write_text(MODEL_DATA)
    folders = ("kernels", "cells", "core", "wire", "app", "hal")
    include = [f"-I{folder}", *(f"-I{TEMPLATES / name}" for name in folders)]
    sources = [TEMPLATES / "app" / "measure.c", folder / "fakes.c"]
    library = folder / "measure.so"
    command = ["gcc", *FLAGS, *SANITIZE, "-shared", "-fPIC", *include, *sources]
    subprocess.run([*command, "-o", library], check=True, timeout=60)
    loaded = ctypes.CDLL(str(library))
    loaded.measure_cycles.restype = ctypes.c_uint32
    loaded.measure_overhead.restype = ctypes.c_uint16
    return loaded


def window(measure, stretches, *, empty=(30, 20)):
    """Cycles of a window with these stretches, after a calibration on the `empty` ones."""
    counter = (ctypes.c_uint32 * 8).in_dll(measure, "fake_cycles")
    counter[:] = [*empty, *stretches, *[0] * (6 - len(stretches))]
    measure.fake_restart()
    measure.measure_calibrate()
    measure.measure_start()
    for _ in stretches[:-1]:
        measure.measure_step(None)
    measure.measure_classify()
    return measure.measure_cycles()


def test_overhead_is_the_smaller_empty_stretch(measure):
    assert window(measure, [120, 220, 70]) == 100 + 200 + 50
    assert measure.measure_overhead() == 20
    assert window(measure, [120], empty=(15, 90)) == 105


def test_a_stretch_shorter_than_the_overhead_counts_nothing(measure):
    assert window(measure, [5, 120]) == 100


@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_unknown_stretch_makes_the_window_unknown(measure, position):
    stretches = [120, 220, 70]
    stretches[position] = UNKNOWN
    assert window(measure, stretches) == UNKNOWN


def test_a_sum_beyond_32_bits_is_unknown(measure):
    half = 1 << 31
    assert window(measure, [half + 20, half - 2 + 20]) == UNKNOWN - 1
    assert window(measure, [half + 20, half - 1 + 20]) == UNKNOWN
    assert window(measure, [half + 20, half + 20, 120]) == UNKNOWN


def test_an_overhead_that_cannot_be_is_bounded(measure):
    window(measure, [120], empty=(UNKNOWN, UNKNOWN))
    assert measure.measure_overhead() == 0xFFFF
