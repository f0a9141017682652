"""Fixed-point maps of int16 audio: every one of the 65,536 samples, in Python and in C, as float32 would give it."""

import ctypes
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_pedals import Wanted, write_pedal
from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.errors import FirmwareError
from neuralpedal.firmware_bridge.audio_defines import encoding_defines
from neuralpedal.firmware_bridge.compiler import run_compiler
from neuralpedal.firmware_bridge.int16_map import SAMPLES, find_map
from neuralpedal.firmware_bridge.project import write_project


def reference(code: AffineCode, gain: np.float32) -> np.ndarray:
    return code.encode((SAMPLES / 32768).astype(np.float32) * gain).astype(np.int64) - code.zero_point


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([np.int8, np.int16]), st.floats(-20.0, 20.0), st.floats(1e-4, 0.05), st.integers(-100, 100))
def test_every_scale_and_gain_has_a_map_that_gives_all_int16_samples(dtype: type, gain_db: float, scale: float,
                                                                      zero_point: int) -> None:
    gain, code = np.float32(10.0 ** (gain_db / 20.0)), AffineCode(float(np.float32(scale)), zero_point, dtype)
    limits = np.iinfo(dtype)
    low, high = limits.min - zero_point, limits.max - zero_point
    wanted = reference(code, gain)
    found = find_map(lambda samples: wanted, low, high, gain, 1.0 / (32768 * code.scale), "the input")
    assert np.array_equal(np.clip(found.apply(SAMPLES), low, high), wanted)


@pytest.mark.parametrize(("bits", "multiplier", "shift"), [(15, 1, 0), (14, 1, 1), (12, 1, 3)])
def test_without_a_gain_int16_audio_is_only_shifted(bits: int, multiplier: int, shift: int) -> None:
    wanted = reference(AffineCode(2.0**-bits, 0, np.int16), np.float32(1.0))
    found = find_map(lambda samples: wanted, -32768, 32767, np.float32(1.0), 2.0 ** (bits - 15), "the input")
    assert (found.multiplier, found.shift, found.float_gain) == (multiplier, shift, None)


def test_what_no_product_gives_is_refused() -> None:
    with pytest.raises(FirmwareError, match=r"the input: no fixed-point product .* choose --io float"):
        find_map(lambda samples: samples**2 % 100, -32768, 32767, np.float32(1.0), 1.0, "the input")


def test_some_gain_needs_the_rounding_of_float32() -> None:
    lines = list(encoding_defines(AffineCode(2.0**-15, 0, np.int16), 3.0, int16_audio=True))
    assert any("INPUT_FLOAT_GAIN" in line for line in lines)


PROBE = """#include "pedal_audio.h"
void probe(const int16_t *in, int32_t *codes, int16_t *out, int n);
void probe(const int16_t *in, int32_t *codes, int16_t *out, int n)
{
    for (int t = 0; t < n; t++) {
        codes[t] = pedal_encode(in[t]);
        out[t] = pedal_decode(in[t]);
    }
}
"""


@pytest.mark.usefixtures("c_compiler")
@pytest.mark.parametrize(("input_gain_db", "output_gain_db"), [(0.0, 0.0), (3.0, -6.0), (-17.3, 25.1), (60.0, -60.0),
                                                               (-60.0, 60.0)])
def test_the_c_of_the_border_gives_all_int16_samples(input_gain_db: float, output_gain_db: float,
                                                     tmp_path: Path) -> None:
    wanted = Wanted("w8a16", 3, input_gain_db=input_gain_db, output_gain_db=output_gain_db)
    model = write_pedal(tmp_path / "pedal.tflite", wanted)
    project = write_project(model.path, tmp_path / "c", io="int16", golden_s=0.01)
    (tmp_path / "probe.c").write_text(PROBE)
    run_compiler(["cc", "-std=c99", "-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-shared", "-fPIC",
                  f"-I{project.folder}", "probe.c", "-o", "probe.so"], tmp_path)
    samples = SAMPLES.astype(np.int16)
    codes, out = np.empty(len(samples), np.int32), np.empty(len(samples), np.int16)
    library = ctypes.CDLL(str(tmp_path / "probe.so"))
    library.probe(*(ctypes.c_void_p(array.ctypes.data) for array in (samples, codes, out)), len(samples))
    formats = model.manifest().integer_format
    assert formats
    gains = [np.float32(10.0 ** (gain_db / 20.0)) for gain_db in (input_gain_db, output_gain_db)]
    assert np.array_equal(codes, reference(AffineCode(2.0**-formats.input_fraction_bits, 0, np.int16), gains[0]))
    wet = AffineCode(2.0**-formats.output_fraction_bits, 0, np.int16).decode(samples) * gains[1]
    assert np.array_equal(out, AffineCode(2.0**-15, 0, np.int16).encode(wet.astype(np.float32)))
