"""Plays a ``.tflite`` in tflite-micro, whose arithmetic the integer references must reproduce.

tflite-micro cannot resize tensors: for every block length the file is written again with other shapes. A stream's state
is kept between invokes, as on a microcontroller; a frame network is given its windows, each from zero state.
"""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.lib.stride_tricks import sliding_window_view
from tflite_micro import runtime

from neuralpedal.convert.layouts import BLOCK_SAMPLES

_ARENA_BYTES = 1 << 20


def reshaped(model: bytes, block: int) -> bytes:
    """The file with another block length: the second axis of every signal, and the first of a frame's states."""
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    for tensor in tree.subgraphs[0].tensors:
        axis = 0 if tensor.isVariable else 1
        if len(tensor.shape) == 2 + axis and tensor.shape[axis] == BLOCK_SAMPLES:
            tensor.shape = [*tensor.shape[:axis], block, *tensor.shape[axis + 1 :]]
            tensor.shapeSignature = None
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class TflmPlayer:
    """A file of a network that streams, prepared for blocks of ``block`` integer samples."""

    def __init__(self, model: bytes, block: int) -> None:
        self._block = block
        self._outputs = len(schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0)).subgraphs[0].outputs)
        self._interpreter = runtime.Interpreter.from_bytes(reshaped(model, block), arena_size=_ARENA_BYTES)

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Stream (T,) integers, T a multiple of the block; returns (T,)."""
        return self.answers(samples)[0]

    def answers(self, samples: np.ndarray) -> tuple[np.ndarray, ...]:
        """As :meth:`process` of samples (T,) or (T, channels); every output of the graph, each (T,)."""
        outputs = tuple(np.empty(len(samples), samples.dtype) for _ in range(self._outputs))
        blocks = samples.reshape(-1, 1, self._block, samples[0].size)
        for index, block in enumerate(blocks):
            self._interpreter.set_input(block, 0)
            self._interpreter.invoke()
            for output, answer in enumerate(outputs):
                part = answer[index * self._block : (index + 1) * self._block]
                part[:] = self._interpreter.get_output(output)[0, :, 0]
        return outputs


class TflmFramePlayer:
    """A file of a frame network, for ``block`` windows of ``frame`` samples at once; ``silence`` is its zero point."""

    def __init__(self, model: bytes, block: int, frame: int, silence: int) -> None:
        self._block, self._frame, self._silence = block, frame, silence
        self._interpreter = runtime.Interpreter.from_bytes(reshaped(model, block), arena_size=_ARENA_BYTES)

    def answers(self, samples: np.ndarray) -> tuple[np.ndarray]:
        """Play (T,) integers, T a multiple of the block, from silence; returns (T,)."""
        track = np.concatenate([np.full(self._frame - 1, self._silence, samples.dtype), samples])
        # Row f holds sample f of all windows of a block.
        rows = sliding_window_view(track, self._block)
        output = np.empty_like(samples)
        for start in range(0, len(samples), self._block):
            self._interpreter.reset()
            self._interpreter.set_input(np.ascontiguousarray(rows[start : start + self._frame, :, np.newaxis]), 0)
            self._interpreter.invoke()
            output[start : start + self._block] = self._interpreter.get_output(0)[0, :, 0]
        return (output,)
