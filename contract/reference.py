"""The slow, obvious network: NumPy, one sample after the other, in float64.

Everything faster is proved against it. Float64 because a reference must not argue about the order of float32 sums.
"""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from neuralpedal.contract.dense import DensePlayer
from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.reference_cells import Float, State, make_cell
from neuralpedal.contract.reference_wavenet import ReferenceWaveNet
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.contract.weights import NetworkWeights

_WINDOWS_AT_ONCE = 8192


class ReferenceNetwork:
    """A streaming network that remembers its state between calls.

    Args:
        weights: of a family without a frame.
        lanes: independent streams computed side by side (calibration uses many; playing uses one).

    Attributes:
        states: per layer a tuple of arrays (lanes, H), the hidden state first; an LSTM's second is its cell.

    Raises:
        SpecError: a family with a frame (see :class:`FrameReferenceNetwork`).
    """

    def __init__(self, weights: NetworkWeights, lanes: int = 1) -> None:
        if weights.spec.kind.has_frame:
            raise SpecError(f"{weights.spec.label}: does not stream sample by sample; its reference is another one")
        self.weights = weights
        self.lanes = lanes
        self._stack = _Stack(weights)
        self.states: list[State] = []
        self.reset()

    def reset(self) -> None:
        """Back to the state that it began in."""
        self.states = self._stack.first_states(self.lanes)

    def step(self, x: Float) -> Float:
        """One sample of every lane: x (lanes,) to y (lanes,)."""
        self.states = self._stack.step(x, self.states)
        y = self._stack.head(self.states)
        return y + x if self.weights.spec.skip else y

    def process(self, samples: NDArray[np.float32]) -> Float:
        """Stream (T,) samples through lane 0, or (lanes, T) through all; same shape back, float64."""
        x = np.atleast_2d(samples).astype(np.float64)
        y = np.empty_like(x)
        for t in range(x.shape[1]):
            y[:, t] = self.step(x[:, t])
        return y.reshape(np.shape(samples))


class FrameReferenceNetwork:
    """A network whose every output sample answers the last ``frame_samples`` inputs, from zero state.

    Before the first sample there was silence. What is remembered between calls is audio, not state.

    Args:
        weights: of a family with a frame.
    """

    def __init__(self, weights: NetworkWeights) -> None:
        if not weights.spec.frame_samples:
            raise SpecError(f"{weights.spec.label}: has no frame; ReferenceNetwork plays it")
        self.weights = weights
        self._frame = weights.spec.frame_samples
        self._stack = _Stack(weights)
        self.reset()

    def reset(self) -> None:
        """Forget the past: silence."""
        self._past = np.zeros(self._frame - 1)

    def answer(self, frames: Float, observe: Callable[[list[State]], None] = lambda states: None) -> Float:
        """The output sample (N,) of each of N frames (N, frame_samples), oldest sample first.

        ``observe`` is given the states after every step, as in :class:`ReferenceNetwork`, one lane per frame.
        """
        states = self._stack.first_states(len(frames))
        for t in range(self._frame):
            states = self._stack.step(frames[:, t], states)
            observe(states)
        y = self._stack.head(states)
        return y + frames[:, -1] if self.weights.spec.skip else y

    def process(self, samples: NDArray[np.float32]) -> Float:
        """Stream (T,) samples; (T,) float64."""
        track = np.concatenate([self._past, samples.astype(np.float64)])
        self._past = track[len(track) - self._frame + 1 :]
        windows = sliding_window_view(track, self._frame) if len(samples) else np.zeros((0, self._frame))
        parts = [self.answer(windows[start : start + _WINDOWS_AT_ONCE])
                 for start in range(0, len(windows), _WINDOWS_AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros(0)


def open_reference(
    weights: NetworkWeights | WaveNetWeights,
) -> ReferenceNetwork | FrameReferenceNetwork | ReferenceWaveNet:
    """The reference of any family, one lane."""
    if isinstance(weights, WaveNetWeights):
        return ReferenceWaveNet(weights)
    return FrameReferenceNetwork(weights) if weights.spec.kind.has_frame else ReferenceNetwork(weights)


class _Stack:
    """All layers, without skip."""

    def __init__(self, weights: NetworkWeights) -> None:
        self._weights = weights
        self._cells = [make_cell(weights.spec.kind, layer) for layer in weights.layers]
        self._front = DensePlayer(weights.spec.front, weights.front)
        self._bent = DensePlayer(weights.spec.head, weights.head)
        self._head = weights.head_kernel.astype(np.float64)[:, 0]
        self._head_bias = float(weights.head_bias[0])

    def first_states(self, lanes: int) -> list[State]:
        return [tuple(array.astype(np.float64) for array in layer) for layer in self._weights.first_states(lanes)]

    def step(self, x: Float, states: list[State]) -> list[State]:
        signal, after = self._front.play(x[:, np.newaxis]), []
        for cell, state in zip(self._cells, states, strict=True):
            after.append(cell.step(signal, state))
            signal = after[-1][0]
        return after

    def head(self, states: list[State]) -> Float:
        # A sum of products instead of a matrix product: the result must not depend on how BLAS blocks it.
        result: Float = np.sum(self._bent.play(states[-1][0]) * self._head, axis=1) + self._head_bias
        return result
