"""Plays a ``.tflite`` in tflite-micro, whose arithmetic the integer references must reproduce.

tflite-micro cannot resize tensors: for every block length the file is written again with other shapes. State is kept
between invokes, as on a microcontroller.
"""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tflite_micro import runtime

from neuralpedal.convert.layouts import BLOCK_SAMPLES

_ARENA_BYTES = 1 << 20


def reshaped(model: bytes, block: int) -> bytes:
    """The file of a stream with another block length: the second axis of every signal [1, T, C]."""
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    for tensor in tree.subgraphs[0].tensors:
        if len(tensor.shape) == 3 and tensor.shape[1] == BLOCK_SAMPLES:
            tensor.shape = [1, block, tensor.shape[2]]
            tensor.shapeSignature = None
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class TflmPlayer:
    """A file prepared for blocks of ``block`` integer samples."""

    def __init__(self, model: bytes, block: int) -> None:
        self._block = block
        self._interpreter = runtime.Interpreter.from_bytes(reshaped(model, block), arena_size=_ARENA_BYTES)

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Stream (T,) integers, T a multiple of the block; returns (T,)."""
        output = np.empty_like(samples)
        for start in range(0, len(samples), self._block):
            part = slice(start, start + self._block)
            self._interpreter.set_input(samples[np.newaxis, part, np.newaxis], 0)
            self._interpreter.invoke()
            output[part] = self._interpreter.get_output(0)[0, :, 0]
        return output
