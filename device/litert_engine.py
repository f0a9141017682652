"""The engine that plays a ``.tflite`` through LiteRT (or tflite-runtime, or TensorFlow's interpreter)."""

from pathlib import Path

import numpy as np

from neuralpedal.contract.affine import code_of
from neuralpedal.contract.audio_border import open_border
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.gain import linear_gain
from neuralpedal.contract.integer_kernels import TFLM16X8
from neuralpedal.contract.network_file import check_graph
from neuralpedal.contract.state_tensors import first_tensors
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.device.engine import Block, Engine
from neuralpedal.device.interpreter import PreparedInterpreter, SelfBeginningInterpreter, StreamingInterpreter
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
        if self.manifest.scheme == TFLM16X8:
            raise ModelFileError(f"{path}: scheme {TFLM16X8} plays in tflite-micro alone; take the engine reference, "
                                 "or a file of another scheme")
        # What the interpreter would play otherwise than all the others must not sound here either.
        check_graph(file)
        self.block_size = block_size
        self._border = None if file.is_float else open_border(file, block_size)
        self._interpreter = self._prepare(file, package)
        view = ", float view of w8a16" if self.manifest.integer_format else ""
        self.description = f"litert ({self._interpreter.package.name}{view})"
        self._input_gain = linear_gain(self.manifest.input_gain_db)
        self._output_gain = linear_gain(self.manifest.output_gain_db)
        self._scaled = np.zeros(block_size, np.float32)

    def _prepare(self, file: TfliteFile, package: str | None) -> PreparedInterpreter:
        graph = self.manifest.network.graph
        if graph == "convolutions":
            graph = graph if file.is_float else f"integer {graph}"
            return SelfBeginningInterpreter(file.path, file.inputs[0], self.block_size, package, graph=graph)
        if self.manifest.recurrent.kind.has_frame:
            code = None if file.is_float else code_of(file.tensors[file.inputs[0]], str(file.path))
            return WindowInterpreter(file, code, self.block_size, package)
        channels = self._border.channels if self._border else 1
        return StreamingInterpreter(file.path, file.inputs[0], self.block_size, package, channels, graph,
                                    first_tensors(file))

    def process(self, dry: Block, wet: Block) -> None:
        """One block. Real-time safe but for the interpreter wrapper's own small objects."""
        np.multiply(dry, self._input_gain, out=self._scaled)
        if self._border is None:
            self._interpreter.input[...] = self._scaled
            self._interpreter.invoke()
            wet[...] = self._interpreter.output
        else:
            self._border.encode_into(self._scaled, self._interpreter.input)
            self._interpreter.invoke()
            self._border.decode_into(self._interpreter.outputs, self._scaled, wet)
        np.multiply(wet, self._output_gain, out=wet)

    def reset(self) -> None:
        """As freshly opened."""
        self._interpreter.reset()
