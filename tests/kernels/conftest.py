"""The C of firmware_templates as a shared library, compiled once per session under UBSan."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[2] / "firmware_templates"
FLAGS = ("-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion")
SANITIZE = ("-fsanitize=undefined", "-fno-sanitize-recover=all")

INT8, INT16, INT32 = ctypes.c_int8, ctypes.c_int16, ctypes.c_int32
UINT8, UINT16, UINT32 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32
POINTER = ctypes.c_void_p
SIGNATURES = {
    "shim_rshift": (INT32, (INT32, UINT8)),
    "shim_scale": (INT32, (INT32, UINT8)),
    "shim_sat16": (INT16, (INT32, ctypes.POINTER(UINT32))),
    "shim_sat8": (INT8, (INT32, ctypes.POINTER(UINT32))),
    "shim_index": (UINT8, (INT32, UINT8)),
    "shim_mix": (INT32, (UINT8, INT16, UINT8, INT16)),
    "shim_modrelu_gain": (UINT16, (INT16, INT16, INT16, POINTER)),
    "shim_modrelu_apply": (INT32, (INT16, UINT16)),
    "shim_mix_signed": (INT32, (INT16, INT16, INT16, INT16)),
    "shim_standardise": (INT8, (INT16, INT16, INT32, UINT8, ctypes.POINTER(UINT32))),
    "shim_crc": (UINT32, (ctypes.c_char_p, UINT16)),
    "shim_encode": (UINT32, (POINTER, UINT8, UINT8, UINT16, POINTER)),
    "shim_decode": (None, (ctypes.c_char_p, UINT32, POINTER, UINT16, POINTER, POINTER)),
    "rnn_compand_s16": (INT16, (INT16, POINTER)),
}


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Every kernel and the wire code, callable."""
    library = tmp_path_factory.mktemp("kernels") / "kernels.so"
    sources = [*TEMPLATES.glob("kernels/*.c"), *TEMPLATES.glob("wire/*.c")]
    include = [f"-I{TEMPLATES / folder}" for folder in ("kernels", "wire")]
    shim = Path(__file__).with_name("shim.c")
    command = ["gcc", *FLAGS, "-Werror", *SANITIZE, "-shared", "-fPIC", *include]
    subprocess.run([*command, shim, *sources, "-o", library], check=True, timeout=120)
    loaded = ctypes.CDLL(str(library))
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded
