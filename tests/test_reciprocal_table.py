"""LiteRT's sigmoid and tanh, looked up: equal to gemmlowp's polynomials for every int16, in C as well."""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from neuralpedal.contract.errors import FirmwareError
from neuralpedal.contract.fixed_point import MAX_TANH_INTEGER_BITS, sigmoid_table, tanh_table
from neuralpedal.firmware_bridge.compiler import run_compiler
from neuralpedal.firmware_bridge.reciprocal_table import GATE_INTEGER_BITS, lines, reciprocals, steps
from neuralpedal.firmware_bridge.tflite_code import reciprocal_tables

RUNTIME = Path(__file__).parents[1] / "firmware_bridge" / "runtime"
INPUTS = range(-(2**15), 2**15)

MODEL = """
#include <stdint.h>
#define PEDAL_KERNELS_LITERT 1
#define PEDAL_IO_INT16 0
#define PEDAL_LAYERS 1
#define PEDAL_HIDDEN 1
#define PEDAL_HIDDEN_PADDED 4
#define PEDAL_CHANNELS 1
#define PEDAL_CELL_OF_0_BITS 1
#define PEDAL_CELL_OF_1_BITS 1
"""
PROBE = """
#include "pedal_gemmlowp.h"
void probe_sigmoid(int32_t *out) { for (int z = -32768; z < 32768; z++) out[z + 32768] = pedal_sigmoid(z); }
void probe_tanh(int32_t *out, int bits) { for (int z = -32768; z < 32768; z++) out[z + 32768] = pedal_tanh(z, bits); }
"""


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("probe")
    (folder / "pedal_model.h").write_text(MODEL)
    (folder / "probe.c").write_text("\n".join([PROBE, *reciprocal_tables([0, 1])]))
    run_compiler(["cc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-shared", "-fPIC", "-I.",
                  f"-I{RUNTIME}", "probe.c", "-o", "probe.so"], folder)
    return ctypes.CDLL(str(folder / "probe.so"))


@pytest.mark.usefixtures("c_compiler")
def test_every_sigmoid_in_c_is_gemmlowp_s(probe: ctypes.CDLL) -> None:
    found = np.zeros(len(INPUTS), np.int32)
    probe.probe_sigmoid(ctypes.c_void_p(found.ctypes.data))
    assert np.array_equal(found, sigmoid_table())


@pytest.mark.usefixtures("c_compiler")
@pytest.mark.parametrize("bits", range(MAX_TANH_INTEGER_BITS + 1))
def test_every_tanh_in_c_is_gemmlowp_s(bits: int, probe: ctypes.CDLL) -> None:
    found = np.zeros(len(INPUTS), np.int32)
    probe.probe_tanh(ctypes.c_void_p(found.ctypes.data), bits)
    assert np.array_equal(found, tanh_table(bits))


@pytest.mark.parametrize("pack", [steps, lines])
def test_values_that_do_not_fit_are_an_error(pack: object) -> None:
    assert callable(pack)
    values = reciprocals(GATE_INTEGER_BITS)
    pack(values)
    values[1000] += 300
    with pytest.raises(FirmwareError, match=r"beyond [48] bits"):
        pack(values)
