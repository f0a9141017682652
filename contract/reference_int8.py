"""The integer network in NumPy: what a ``w8a8`` or ``tflm16x8`` file must give, bit for bit.

LiteRT and tflite-micro play a ``w8a8`` file in two slightly different arithmetics, both modelled; only tflite-micro has
kernels for ``tflm16x8``.
The layers are computed one after the other over the whole block, because no later layer influences an earlier one.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.fixed_point import Integers
from neuralpedal.contract.initial_state import checked_initial_state
from neuralpedal.contract.integer_kernels import kernels_of
from neuralpedal.contract.reference_int8_layers import IntegerAdd, IntegerHead, IntegerLstm, signal_code
from neuralpedal.contract.signal_chain import signal_chain
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.tflite_file import TfliteFile

_GATES_AT_ONCE = 1 << 22


class Int8Network(ABC):
    """A ``w8a8`` or ``tflm16x8`` file that plays.

    Args:
        file: of a network with a frame or without, as the class says.
        kernels: of which interpreter, ``litert`` or ``tflm``; when None, litert for w8a8 and tflm for tflm16x8.

    Raises:
        ModelFileError: another scheme, or a graph that is not ours. SpecError: a network of the other kind, kernels
            that cannot play the file.

    Attributes:
        input_code, output_code: the formats of the audio.
    """

    has_frame: bool

    def __init__(self, file: TfliteFile, kernels: str | None = None) -> None:
        manifest = file.manifest()
        spec = manifest.recurrent
        if file.is_float:
            raise ModelFileError(f"{file.path}: {manifest.scheme} has float audio; the integer reference plays w8a8 "
                                 "and tflm16x8 files only")
        self._kernels = kernels_of(manifest.scheme, kernels)
        if spec.kind.has_frame != self.has_frame:
            raise SpecError(f"{spec.label}: {type(self).__name__} does not play it; open_int8_reference does")
        try:
            self._read(file, spec)
            self.reset()
        # Which of these a damaged constant or scale raises depends on where it is met; all of it means the same.
        except (ValueError, OverflowError, IndexError, ZeroDivisionError, TypeError) as error:
            if isinstance(error, ModelFileError):
                raise
            raise ModelFileError(f"{file.path}: its integer network is damaged ({error}); convert it again") from error

    def _read(self, file: TfliteFile, spec: NetworkSpec) -> None:
        chain = signal_chain(file)
        # Of a file with two channels the whole signal is a vector already.
        sizes = (file.tensors[file.inputs[0]].shape[2], *spec.layer_input_sizes[1:])
        self.input_code = signal_code(file, file.inputs[0], self._kernels)
        self.output_code = signal_code(file, file.outputs[0], self._kernels)
        self._spec = spec
        state = checked_initial_state(spec, file.manifest().initial_state) or (None,) * spec.num_layers
        self._layers = [IntegerLstm(file, operator, size, spec.hidden_size, self._kernels, beginning)
                        for operator, size, beginning in zip(chain.layers, sizes, state, strict=True)]
        self._head = IntegerHead(file, chain.head, spec.hidden_size, self._kernels)
        self._fine_head = (IntegerHead(file, chain.fine_head, spec.hidden_size, self._kernels) if chain.fine_head
                           else None)
        self._skip = IntegerAdd(file, chain.skip, chain.head.outputs[0], self._kernels) if chain.skip else None

    @abstractmethod
    def reset(self) -> None:
        """Forget the past."""

    @abstractmethod
    def process(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Stream (T,) samples, int8 or (tflm16x8) int16; returns as many of the same type. Not real-time safe."""

    def answers(self, samples: NDArray[np.int8]) -> tuple[NDArray[np.int8], ...]:
        """As :meth:`process` of samples (T,), or (T, channels); every output of the graph, each (T,)."""
        return (self.process(samples),)

    def _hidden(self, signal: Integers) -> Integers:
        """Through the layers, from their present states."""
        for layer in self._layers:
            signal = layer.process(signal)
        return signal

    def _answer(self, hidden: Integers, dry: Integers) -> NDArray[Any]:
        """Head and skip: (T, H) and (T,) to (T,)."""
        signal = self._head.process(hidden)
        return (self._skip.process(signal, dry) if self._skip else signal).astype(self._kernels.signal)


class Int8ReferenceNetwork(Int8Network):
    """Remembers its state between calls."""

    has_frame = False

    def reset(self) -> None:
        """Back to the state that it began in."""
        for layer in self._layers:
            layer.reset()

    def process(self, samples: NDArray[Any]) -> NDArray[Any]:
        """See :class:`Int8Network`."""
        return self.answers(samples)[0]

    def answers(self, samples: NDArray[np.int8]) -> tuple[NDArray[np.int8], ...]:
        """See :class:`Int8Network`."""
        dry = samples.astype(np.int64)
        hidden = self._hidden(dry.reshape(len(dry), -1))
        if self._fine_head:
            return self._answer(hidden, dry), self._fine_head.process(hidden).astype(np.int8)
        return (self._answer(hidden, dry),)


class Int8FrameReferenceNetwork(Int8Network):
    """Remembers audio between calls: every output sample answers a window of inputs, from zero state."""

    has_frame = True

    def reset(self) -> None:
        """Forget the past: silence."""
        self._frame = self._spec.frame_samples or 1
        self._past = np.full(self._frame - 1, self.input_code.zero_point, self._kernels.signal)

    def process(self, samples: NDArray[Any]) -> NDArray[Any]:
        """See :class:`Int8Network`."""
        track = np.concatenate([self._past, samples])
        self._past = track[len(samples) :]
        if not len(samples):
            return samples.copy()
        frames = sliding_window_view(track, self._frame)
        # As many windows at once as keep the gates of all their steps in memory.
        at_once = max(1, _GATES_AT_ONCE // (self._frame * 4 * self._spec.hidden_size))
        return np.concatenate([self._play(frames[start : start + at_once].T.astype(np.int64))
                               for start in range(0, len(frames), at_once)])

    def _play(self, steps: Integers) -> NDArray[Any]:
        """Windows side by side (F, N) to their answers (N,)."""
        for layer in self._layers:
            layer.reset((steps.shape[1],))
        return self._answer(self._hidden(steps[..., np.newaxis])[-1], steps[-1])


def open_int8_reference(file: TfliteFile, kernels: str | None = None) -> Int8Network:
    """The integer reference of any ``w8a8`` or ``tflm16x8`` file. Arguments and errors as of :class:`Int8Network`."""
    network = Int8FrameReferenceNetwork if file.manifest().recurrent.kind.has_frame else Int8ReferenceNetwork
    return network(file, kernels)
