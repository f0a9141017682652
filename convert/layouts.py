"""How audio lies in a file's tensors: what a family decides about a graph whose operators all families share.

A *stream* is [1, T, C]: one signal of T samples whose state is carried on from block to block. *Frames* are [F, N, C]:
N windows of F samples side by side, each from zero state, and only the last of the F steps goes on to the head. In both
the second axis counts the samples of the answer, and is the one that players resize.
Frames lie time-major because the fused LSTM then advances all windows by one step at once; batch-major it plays one
window after the other, 2 to 8 times slower (the smaller the network, the more).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.convert.tflite_writer import Quantization, TfliteWriter

BLOCK_SAMPLES = 64
"""Samples of one answer in the file; players resize it."""

_INT8_GATHER = 2


@dataclass(frozen=True)
class Layout:
    """Adds tensors to a file; each method returns the index of what it added. ``quantization`` is for integer files.

    Attributes:
        steps: first axis of a signal; only the last step becomes output.
        state_rows: first axis of a state. Where it is more than one, players resize it with the signals.
        time_major: which of a signal's first two axes is the LSTM's time.
    """

    steps: int
    state_rows: int
    time_major: bool

    def add_signal(self, writer: TfliteWriter, name: str, channels: int, dtype: Any,
                   quantization: Quantization | None = None) -> int:
        """A tensor that the LSTM layers read or write."""
        return writer.activation(name, (self.steps, BLOCK_SAMPLES, channels), dtype, quantization, free_axis=1)

    def add_state(self, writer: TfliteWriter, name: str, hidden_size: int, dtype: Any,
                  quantization: Quantization | None = None) -> int:
        """A layer's h or c."""
        free_axis = 0 if self.state_rows > 1 else None
        return writer.variable(name, (self.state_rows, hidden_size), dtype, quantization, free_axis)

    def add_last_step(self, writer: TfliteWriter, signal: int, name: str, channels: int, dtype: Any,
                      quantization: Quantization | None = None) -> int:
        """The step of ``signal`` that becomes output, [1, T, C] on the same grid: cut out where there are several.

        By GATHER, whose index is a constant that every reader can check. SLICE leaves its output dynamic when T may
        change, and then everything behind it is prepared anew in every block.
        """
        if self.steps == 1:
            return signal
        index = writer.constant(f"{name}/index", np.array([self.steps - 1], np.int32))
        output = add_answer(writer, name, channels, dtype, quantization)
        version = _INT8_GATHER if np.dtype(dtype) == np.int8 else 1
        writer.operator(schema.BuiltinOperator.GATHER, version, [signal, index], [output],
                        (schema.BuiltinOptions.GatherOptions, schema.GatherOptionsT(axis=0)))
        return output

    def lstm_options(self) -> tuple[int, schema.UnidirectionalSequenceLSTMOptionsT]:
        """Options of a fused LSTM as this package writes it: tanh, no clips."""
        options = schema.UnidirectionalSequenceLSTMOptionsT(
            fusedActivationFunction=schema.ActivationFunctionType.TANH, cellClip=0.0, projClip=0.0,
            timeMajor=self.time_major,
        )
        return schema.BuiltinOptions.UnidirectionalSequenceLSTMOptions, options


def add_answer(writer: TfliteWriter, name: str, channels: int, dtype: Any,
               quantization: Quantization | None = None) -> int:
    """A tensor [1, T, C] behind the layers, whatever the family; returns its index."""
    return writer.activation(name, (1, BLOCK_SAMPLES, channels), dtype, quantization, free_axis=1)


def _stream(spec: NetworkSpec) -> Layout:
    return Layout(steps=1, state_rows=1, time_major=False)


def _frames(spec: NetworkSpec) -> Layout:
    return Layout(steps=spec.frame_samples or 1, state_rows=BLOCK_SAMPLES, time_major=True)


LAYOUTS: dict[str, Callable[[NetworkSpec], Layout]] = {"lstm": _stream, "frame_lstm": _frames}
"""Families whose layers are fused operators."""


def layout_of(spec: NetworkSpec) -> Layout:
    """The layout of a network's family.

    Raises:
        SpecError: a family without one.
    """
    if spec.family not in LAYOUTS:
        raise SpecError(f"{spec.label}: no fused operator plays it, and integer schemes need one; take w8, or train an "
                        "LSTM")
    return LAYOUTS[spec.family](spec)
