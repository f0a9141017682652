"""LiteRT with the kernels that it takes when nobody asks, for float files, for comparison.

The engine ``litert`` asks for reference kernels, whose integers are specified; this one shows that
they cost it nothing.
"""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from neuralpedal.contract.tflite_file import read_manifest
from neuralpedal.device.engine import Block, Engine


class LiteRTDefaults(Engine):
    """See :class:`Engine`. One thread, audio written and read in the tensors' own memory; gains must be 0 dB."""

    def __init__(self, path: Path, block_size: int) -> None:
        self.manifest, self.block_size, self.description = read_manifest(path), block_size, "default kernels"
        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        self._interpreter.resize_tensor_input(self._interpreter.get_input_details()[0]["index"], [1, block_size, 1])
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.tensor(self._interpreter.get_input_details()[0]["index"])
        self._output = self._interpreter.tensor(self._interpreter.get_output_details()[0]["index"])

    def process(self, dry: Block, wet: Block) -> None:
        """One block."""
        self._input()[0, :, 0] = dry
        self._interpreter.invoke()
        np.copyto(wet, self._output()[0, :, 0])

    def reset(self) -> None:
        """As freshly opened."""
        self._interpreter.reset_all_variables()
