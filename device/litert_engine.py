"""The engine that plays a ``.tflite`` through LiteRT (or tflite-runtime, or TensorFlow's interpreter)."""

from pathlib import Path

import numpy as np

from neuralpedal.contract.affine import code_of
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.device.engine import Block, Engine, linear_gain
from neuralpedal.device.interpreter import PreparedInterpreter, StreamingInterpreter
from neuralpedal.device.window_interpreter import WindowInterpreter


class LiteRTEngine(Engine):
    """See :class:`Engine`.

    Per block the Python side makes two short-lived views of tensor memory and what the interpreter's wrapper makes;
    sample buffers are allocated once. A ``w8a16`` file is played in float, as ``w8``: the interpreter does not know its
    integers.

    Args:
        package: one interpreter package by name (tests, benchmarks); the first that works when None.

    Raises:
        ModelFileError: not one of our files, damaged, or refused by the interpreter.
        DeviceError: no interpreter.
    """

    def __init__(self, path: Path, block_size: int, package: str | None = None) -> None:
        file = read_tflite(path)
        self.manifest = file.manifest()
        self.block_size = block_size
        self._input_code, self._output_code = (
            None if file.is_float else code_of(file.tensors[index], str(path))
            for index in (file.inputs[0], file.outputs[0])
        )
        self._interpreter = self._prepare(file, package)
        view = ", float view of w8a16" if self.manifest.integer_format else ""
        self.description = f"litert ({self._interpreter.package.name}{view})"
        self._input_gain = linear_gain(self.manifest.input_gain_db)
        self._output_gain = linear_gain(self.manifest.output_gain_db)
        self._scaled = np.zeros(block_size, np.float32)
        self._steps, self._halves = np.zeros(block_size), np.zeros(block_size)

    def _prepare(self, file: TfliteFile, package: str | None) -> PreparedInterpreter:
        if self.manifest.network.kind.has_frame:
            return WindowInterpreter(file, self._input_code, self.block_size, package)
        return StreamingInterpreter(file.path, file.inputs[0], self.block_size, package)

    def process(self, dry: Block, wet: Block) -> None:
        """One block. Real-time safe but for the interpreter wrapper's own small objects."""
        np.multiply(dry, self._input_gain, out=self._scaled)
        if self._input_code is None:
            self._interpreter.input[...] = self._scaled
        else:
            self._input_code.encode_into(self._scaled, self._interpreter.input, self._steps, self._halves)
        self._interpreter.invoke()
        if self._output_code is None:
            wet[...] = self._interpreter.output
        else:
            self._output_code.decode_into(self._interpreter.output, wet)
        np.multiply(wet, self._output_gain, out=wet)

    def reset(self) -> None:
        """As freshly opened."""
        self._interpreter.reset()
