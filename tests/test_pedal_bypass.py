"""The footswitch of the board examples: debounced, toggling once per press, fading without a click."""

import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuralpedal.firmware_bridge.compiler import run_compiler

pytestmark = pytest.mark.usefixtures("c_compiler")

BRIDGE = Path(__file__).parents[1] / "firmware_bridge"
RATE_HZ = 48_000
FADE_SAMPLES = RATE_HZ // 100

MODEL = """
#define PEDAL_SAMPLE_RATE_HZ 48000
#define PEDAL_LAYERS 1
#define PEDAL_HIDDEN 4
#define PEDAL_HIDDEN_PADDED 4
"""
PROBE = """
#include "pedal_bypass.h"
static pedal_bypass bypass;
void probe_init(int engaged) { pedal_bypass_init(&bypass, engaged); }
int probe_read(int closed, int n) { return pedal_bypass_read(&bypass, closed, (size_t)n); }
int probe_engaged(void) { return bypass.engaged; }
void probe_mix(pedal_sample dry, pedal_sample wet, pedal_sample *out, int n)
{
    for (int t = 0; t < n; t++)
        out[t] = pedal_bypass_mix(&bypass, dry, wet);
}
"""


class Bypass:
    """The C, for one type of samples."""

    def __init__(self, folder: Path, is_int16: bool) -> None:
        (folder / "pedal_model.h").write_text(f"#define PEDAL_IO_INT16 {int(is_int16)}\n#define PEDAL_ARITHMETIC_"
                                              f"{'W8A16' if is_int16 else 'FLOAT'} 1\n#define PEDAL_STATE_BYTES "
                                              f"{32 if is_int16 else 48}\n{MODEL}")
        (folder / "probe.c").write_text(PROBE)
        run_compiler(["cc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsanitize=undefined",
                      "-fno-sanitize-recover=all", "-shared", "-fPIC", f"-I{folder}", f"-I{BRIDGE / 'runtime'}",
                      f"-I{BRIDGE / 'boards'}", "probe.c", "-o", "probe.so"], folder)
        self._library = ctypes.CDLL(str(folder / "probe.so"))
        self.dtype = np.int16 if is_int16 else np.float32
        sample = ctypes.c_int16 if is_int16 else ctypes.c_float
        self._library.probe_mix.argtypes = [sample, sample, ctypes.c_void_p, ctypes.c_int]
        self._library.probe_init(1)

    @property
    def engaged(self) -> bool:
        return bool(self._library.probe_engaged())

    def hold(self, closed: bool, milliseconds: int) -> int:
        """In blocks of 48 samples; how often it said that it was pressed."""
        return sum(self._library.probe_read(int(closed), 48) for _ in range(milliseconds))

    def mix(self, dry: float, wet: float, samples: int) -> np.ndarray:
        out = np.zeros(samples, self.dtype)
        self._library.probe_mix(dry, wet, out.ctypes.data, samples)
        return out.astype(np.float64)


@pytest.fixture(params=["float", "int16"])
def bypass(request: pytest.FixtureRequest, tmp_path: Path) -> Bypass:
    return Bypass(tmp_path, request.param == "int16")


def test_a_press_toggles_once_and_letting_go_does_not(bypass: Bypass) -> None:
    assert bypass.engaged
    assert bypass.hold(True, 500) == 1 and not bypass.engaged
    assert bypass.hold(False, 500) == 0 and not bypass.engaged
    assert bypass.hold(True, 500) == 1 and bypass.engaged


def test_contacts_that_bounce_toggle_nothing(bypass: Bypass) -> None:
    for _ in range(20):
        assert bypass.hold(True, 15) == 0 and bypass.hold(False, 1) == 0
    assert bypass.engaged


def _press(bypass: Bypass) -> None:
    assert bypass.hold(True, 30) == 1
    bypass.hold(False, 30)


@pytest.mark.parametrize(("dry", "wet"), [(0, 1), (1, -1), (-1, 0)])
def test_the_fade_is_even_and_ends_at_either_signal_exactly(dry: int, wet: int, bypass: Bypass) -> None:
    full = 32767 if bypass.dtype == np.int16 else 1.0
    dry_sample, wet_sample = dry * full, wet * full
    assert np.all(bypass.mix(_native(bypass)(dry_sample), _native(bypass)(wet_sample), 10) == wet_sample)
    for reached in (dry_sample, wet_sample):
        _press(bypass)
        heard = bypass.mix(_native(bypass)(dry_sample), _native(bypass)(wet_sample), FADE_SAMPLES + 20)
        assert np.all(heard[-10:] == reached)
        assert np.max(np.abs(np.diff(heard))) <= 1.1 * abs(dry_sample - wet_sample) / FADE_SAMPLES + 1e-6 * full


def _native(bypass: Bypass) -> Callable[[float], float]:
    return int if bypass.dtype == np.int16 else float
