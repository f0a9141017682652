"""The engine that plays a ``.tflite`` in NumPy: what the other engines are compared with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.device.engine import Block, Engine

_Play = Callable[[Block], NDArray[Any]]
_Reset = Callable[[], None]


class ReferenceEngine(Engine):
    """See :class:`Engine`. Float files play in float64, integer files in the integer arithmetic of their scheme.

    Not real-time safe: tens of microseconds per sample.

    Raises:
        ModelFileError: not one of our files.
    """

    def __init__(self, path: Path, block_size: int) -> None:
        file = read_tflite(path)
        self.manifest = file.manifest()
        self.block_size = block_size
        self.description = "reference (NumPy)"
        self._play, self._reset = _open(file, self.manifest.scheme)
        self._input_gain = linear_gain(self.manifest.input_gain_db)
        self._output_gain = linear_gain(self.manifest.output_gain_db)

    def process(self, dry: Block, wet: Block) -> None:
        """One block. Not real-time safe."""
        wet[...] = self._play(np.asarray(dry * self._input_gain, np.float32)) * self._output_gain

    def reset(self) -> None:
        """As freshly opened."""
        self._reset()


def _open(file: TfliteFile, scheme: str) -> tuple[_Play, _Reset]:
    if isinstance(file.manifest().network, WaveNetSpec) and scheme in SIGNALS:
        wavenet = open_integer_wavenet(file)
        return wavenet.play, wavenet.reset
    if scheme == W8A16:
        network = W8A16ReferenceNetwork(read_integer_network(file))
        return network.play, network.reset
    return _float_network(file) if file.is_float else _integer_network(file)


def _float_network(file: TfliteFile) -> tuple[_Play, _Reset]:
    network = open_reference(read_weights(file))
    return network.process, network.reset


def _integer_network(file: TfliteFile) -> tuple[_Play, _Reset]:
    network, border = open_int8_reference(file), open_border(file)
    return (lambda dry: border.decode(network.answers(border.encode(dry)), dry)), network.reset
