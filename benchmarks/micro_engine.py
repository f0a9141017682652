"""tflite-micro's Python interpreter as an engine for ``w8a8`` files, for comparison."""

import sys
from pathlib import Path

import numpy as np
from tflite_micro import runtime

from neuralpedal.contract.audio_border import open_border
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.device.engine import Block, Engine

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from tflm_player import reshaped

_ARENA_BYTES = 1 << 20


class MicroEngine(Engine):
    """See :class:`Engine`. Audio becomes int8 and float again as in the engine ``litert``; gains must be 0 dB."""

    def __init__(self, path: Path, block_size: int) -> None:
        file = read_tflite(path)
        self.manifest, self.block_size, self.description = file.manifest(), block_size, "tflite-micro"
        self._border = open_border(file, block_size)
        self._interpreter = runtime.Interpreter.from_bytes(reshaped(path.read_bytes(), block_size),
                                                           arena_size=_ARENA_BYTES)
        self._input = np.zeros((1, block_size, 1), np.int8)
        self._encoded = self._input[0, :, 0]

    def process(self, dry: Block, wet: Block) -> None:
        """One block."""
        self._border.encode_into(dry, self._encoded)
        self._interpreter.set_input(self._input, 0)
        self._interpreter.invoke()
        self._border.decode_into([self._interpreter.get_output(0)[0, :, 0]], dry, wet)

    def reset(self) -> None:
        """As freshly opened."""
        self._interpreter.reset()
