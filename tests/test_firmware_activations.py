"""tflite-micro's sigmoid and tanh in C, for all 65,536 inputs; and the float ones against the math library."""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from firmware_pedals import Wanted, write_pedal
from neuralpedal.contract.integer_kernels import MAX_CELL_INTEGER_BITS
from neuralpedal.contract.interpolated_activations import sigmoid_by_lines, tanh_by_lines
from neuralpedal.firmware_bridge.compiler import run_compiler
from neuralpedal.firmware_bridge.project import write_project

pytestmark = pytest.mark.usefixtures("c_compiler")

INPUTS = np.arange(-(2**15), 2**15, dtype=np.int32)

INTEGER_PROBE = """#include "pedal_lines.h"
void sigmoids(const int32_t *in, int32_t *out, int n);
void tanhs(const int32_t *in, int32_t *out, int n, int integer_bits);
void sigmoids(const int32_t *in, int32_t *out, int n)
{
    for (int t = 0; t < n; t++)
        out[t] = pedal_sigmoid(in[t]);
}
void tanhs(const int32_t *in, int32_t *out, int n, int integer_bits)
{
    for (int t = 0; t < n; t++)
        out[t] = pedal_tanh(in[t], integer_bits);
}
"""

FLOAT_PROBE = """#include "pedal_activations.h"
void sigmoids(const float *in, float *out, int n);
void tanhs(const float *in, float *out, int n);
void sigmoids(const float *in, float *out, int n)
{
    for (int t = 0; t < n; t++)
        out[t] = pedal_sigmoid_float(in[t]);
}
void tanhs(const float *in, float *out, int n)
{
    for (int t = 0; t < n; t++)
        out[t] = pedal_tanh_float(in[t]);
}
"""


def compile_probe(folder: Path, scheme: str, kernels: str | None, probe: str) -> ctypes.CDLL:
    model = write_pedal(folder / "pedal.tflite", Wanted(scheme, 2))
    project = write_project(model.path, folder / "c", kernels=kernels, golden_s=0.001)
    (folder / "probe.c").write_text(probe)
    run_compiler(["cc", "-std=c99", "-O1", "-ffp-contract=off", "-fsanitize=undefined", "-fno-sanitize-recover=all",
                  "-shared", "-fPIC", f"-I{project.folder}", "probe.c", str(project.folder / "pedal_model.c"), "-o",
                  "probe.so"], folder)
    return ctypes.CDLL(str(folder / "probe.so"))


def call(function: object, inputs: np.ndarray, *more: int) -> np.ndarray:
    out = np.empty_like(inputs)
    function(ctypes.c_void_p(inputs.ctypes.data), ctypes.c_void_p(out.ctypes.data), len(inputs), *more)  # type: ignore
    return out


def test_integer_sigmoid_and_tanh_in_c_are_tflite_micros_for_every_input(tmp_path: Path) -> None:
    library = compile_probe(tmp_path, "w8a8", "tflm", INTEGER_PROBE)
    assert np.array_equal(call(library.sigmoids, INPUTS), sigmoid_by_lines())
    for integer_bits in range(MAX_CELL_INTEGER_BITS + 1):
        assert np.array_equal(call(library.tanhs, INPUTS, integer_bits), tanh_by_lines(integer_bits)), integer_bits


def test_float_sigmoid_and_tanh_are_as_exact_as_they_say(tmp_path: Path) -> None:
    library = compile_probe(tmp_path, "w8", None, FLOAT_PROBE)
    inputs = np.linspace(-100.0, 100.0, 2_000_001).astype(np.float32)
    exact = inputs.astype(np.float64)
    inner = np.abs(exact) > 1e-6
    assert np.max(np.abs(call(library.tanhs, inputs)[inner] / np.tanh(exact[inner]) - 1.0)) < 4e-7
    sigmoid = 1.0 / (1.0 + np.exp(-np.clip(exact, -87.0, 87.0)))
    assert np.max(np.abs(call(library.sigmoids, inputs) / sigmoid - 1.0)) < 5e-7
    odd = np.array([np.nan, np.inf, -np.inf, 0.0], np.float32)
    assert np.all(np.isfinite(call(library.tanhs, odd))) and np.all(np.isfinite(call(library.sigmoids, odd)))
