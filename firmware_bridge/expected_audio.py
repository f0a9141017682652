"""What the C of a pedal must give: the references of contract/, between the same gains and sample formats.

Float samples: integer networks must give equal float32, float networks the float64 reference within a tolerance.
int16 samples stand for themselves over 32768; answers are the float ones, rounded to nearest (halves away from zero).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.affine import code_of
from neuralpedal.contract.audio_border import open_border
from neuralpedal.contract.gain import linear_gain
from neuralpedal.contract.integer_network import SCHEME as W8A16
from neuralpedal.contract.integer_network import read_integer_network
from neuralpedal.contract.integer_wavenet import SIGNALS
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.reference import open_reference
from neuralpedal.contract.reference_int8 import open_int8_reference
from neuralpedal.contract.reference_integer_wavenet import open_integer_wavenet
from neuralpedal.contract.reference_w8a16 import W8A16ReferenceNetwork
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.firmware_bridge.audio_defines import INT16_STEPS, int16_of
from neuralpedal.firmware_bridge.coarse_fine_code import pair_decoder

Float32 = NDArray[np.float32]
_Play = Callable[[Float32], NDArray[Any]]

FLOAT_TOLERANCE = 1e-5
"""How far float C may be from the float64 reference: the one and the other sum in another order and precision."""


@dataclass(frozen=True)
class Tolerance:
    """How far the C may be from what is expected, in steps of int16 and in full-scale units."""

    int16: int
    float32: float


EXACT = Tolerance(0, 0.0)
NEAR = Tolerance(1, FLOAT_TOLERANCE)
"""An error of a third of a step may turn a rounding."""


class ExpectedAudio:
    """Plays a file as its C must; remembers its state between calls.

    Args:
        kernels: of which interpreter a ``w8a8`` file is played, ``litert`` or ``tflm``; None for the scheme's own.

    Attributes:
        tolerance: what the C may differ by.

    Raises:
        ModelFileError: not one of our files. SpecError: no such kernels.
    """

    def __init__(self, file: TfliteFile, kernels: str | None = None) -> None:
        manifest = file.manifest()
        self._input_gain, self._output_gain = linear_gain(manifest.input_gain_db), linear_gain(manifest.output_gain_db)
        self._play, self._reset = _open(file, kernels)
        self._play_pair = self._pair_player(file, kernels) if manifest.audio_code else None
        self.tolerance = NEAR if file.is_float and manifest.scheme != W8A16 else EXACT

    def reset(self) -> None:
        """Back to zero state."""
        self._reset()

    def play(self, dry: Float32) -> Float32:
        """Stream (T,) float samples. Not real-time safe."""
        wet = self._play(np.asarray(dry * self._input_gain, np.float32)) * self._output_gain
        return np.asarray(wet, np.float32)

    def play_int16(self, dry: NDArray[np.int16]) -> NDArray[np.int16]:
        """Stream (T,) int16 samples."""
        if self._play_pair:
            return self._play_pair(dry)
        return int16_of(self.play((dry / INT16_STEPS).astype(np.float32))).astype(np.int16)

    def _pair_player(self, file: TfliteFile, kernels: str | None) -> Callable[[NDArray[np.int16]], NDArray[np.int16]]:
        """int16 samples of a file with two channels: its sum with the dry signal is formed in fixed point."""
        network, border, manifest = open_int8_reference(file, kernels), open_border(file), file.manifest()
        coarse, fine = (code_of(file.tensors[index], str(file.path)) for index in file.outputs)
        decoder = pair_decoder(coarse, fine, manifest)
        reset_floats = self._reset

        def reset() -> None:
            reset_floats()
            network.reset()

        def play(dry: NDArray[np.int16]) -> NDArray[np.int16]:
            heard = (dry / INT16_STEPS).astype(np.float32) * self._input_gain
            coarse, fine = network.answers(border.encode(heard.astype(np.float32)))
            return decoder.decode(coarse, fine, dry)

        self._reset = reset
        return play


def _open(file: TfliteFile, kernels: str | None) -> tuple[_Play, Callable[[], None]]:
    manifest = file.manifest()
    if isinstance(manifest.network, WaveNetSpec) and manifest.scheme in SIGNALS:
        wavenet = open_integer_wavenet(file)
        return wavenet.play, wavenet.reset
    if manifest.scheme == W8A16:
        network = W8A16ReferenceNetwork(read_integer_network(file))
        return network.play, network.reset
    if file.is_float:
        floating = open_reference(read_weights(file))
        return floating.process, floating.reset
    integer, border = open_int8_reference(file, kernels), open_border(file)
    return (lambda dry: border.decode(integer.answers(border.encode(dry)), dry)), integer.reset
