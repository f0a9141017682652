"""Training on single frames, the way of the 2022 study: a network sees F samples from zero state and answers the last.

Adam at a constant rate on the mean absolute error, every frame once per epoch in an order of its own. Nothing but the
number of epochs depends on how long one trains: the network after 20 epochs of a long training *is* that of a training
of 20 epochs, whatever comes later.

A batch of 64 frames is so little work that TensorFlow's graph costs more than the network; where the C kernel can be
built, gradient and update therefore run on plain arrays (twice as fast in all).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from neuralpedal.contract.errors import RecordingError, SpecError, TrainingError
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights
from neuralpedal.train.checkpoint import TrainingState
from neuralpedal.train.native.kernel import RecurrentKernel
from neuralpedal.train.native.library import KernelUnavailableError
from neuralpedal.train.networks.model_file import build_model
from neuralpedal.train.networks.pedal_model import PedalModel

Array = NDArray[np.float32]

BATCH_FRAMES = 64
LEARNING_RATE = 1e-3
STEPS_BETWEEN_REPORTS = 32


@dataclass(frozen=True)
class FrameSet:
    """The data set of one training.

    Attributes:
        dry, wet: (T,) float32. ends: (N,), where each frame's last sample lies; N is the size of the set.
        frame_samples: F.
    """

    dry: Array
    wet: Array
    ends: NDArray[np.int64]
    frame_samples: int

    def batch(self, rows: NDArray[np.int64]) -> tuple[Array, Array]:
        """Frames (B, F, 1) and targets (B, 1)."""
        ends = self.ends[rows]
        index = ends[:, np.newaxis] + np.arange(1 - self.frame_samples, 1)
        return self.dry[index][:, :, np.newaxis], self.wet[ends][:, np.newaxis]


def draw_frames(dry: Array, wet: Array, segment_samples: int, frame_samples: int, count: int, seed: int) -> FrameSet:
    """``count`` frames at random places of random segments; none reaches over the seam of two segments.

    Args:
        dry, wet: (T,), equal segments of ``segment_samples`` one after another.

    Raises:
        RecordingError: not one whole segment. SpecError: frames longer than a segment, or none wanted.
    """
    if not 1 <= frame_samples <= segment_samples or count < 1:
        raise SpecError(f"{count} frames of {frame_samples} samples from segments of {segment_samples}: wanted one "
                        "frame or more, none longer than a segment")
    segments = len(dry) // segment_samples
    if segments == 0:
        raise RecordingError(f"{len(dry)} samples to draw frames from, wanted a segment of {segment_samples}; "
                             "record more playing")
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, segments, count) * segment_samples
    return FrameSet(dry, wet, starts + rng.integers(frame_samples - 1, segment_samples, count), frame_samples)


class FrameTraining:
    """One training, which may be left after any epoch and taken up again.

    Args:
        spec: a network with a frame. frames: the data set. seed: of the first weights and of the order of frames.
        state: where an earlier training stopped, or None.

    Attributes:
        spec: the network's.
        state: after the last whole epoch; ``history`` holds a row per epoch (epoch, loss: the mean absolute error).
        kernel: what computes gradients, and why not the compiled one.
    """

    def __init__(self, spec: NetworkSpec, frames: FrameSet, seed: int, state: TrainingState | None = None) -> None:
        if spec.frame_samples != frames.frame_samples:
            raise SpecError(f"{spec.label}: its frame is {spec.frame_samples} samples, the data set's "
                            f"{frames.frame_samples}; wanted the same")
        keras.utils.set_random_seed(seed)
        self.spec = spec
        self._model = build_model(spec)
        self._frames, self._seed = frames, seed
        arrays = list(self._model.network_weights().arrays())
        self._layout = [array.shape for array in arrays]
        self._adam = Adam(np.concatenate([array.ravel() for array in arrays]))
        self.state = state or TrainingState()
        if state:
            self._adam.restore(state)
        self._gradient, self.kernel = _choose_gradient(self._model)

    def run_epoch(self, watch: Callable[[float], None]) -> float:
        """Every frame once; the mean absolute error on the way. ``watch`` is told the fraction of the epoch.

        Raises:
            TrainingError: the error is no number any more.
        """
        begun, total = time.monotonic(), 0.0
        # The order depends on the epoch alone, so that a resumed training goes the same way.
        order = np.random.default_rng((self._seed, self.state.epoch)).permutation(len(self._frames.ends))
        steps = range(0, len(order), BATCH_FRAMES)
        for step, start in enumerate(steps):
            rows = order[start : start + BATCH_FRAMES]
            loss, gradient = self._gradient(self._views(), *self._frames.batch(rows))
            self._adam.update(gradient)
            total += loss * len(rows)
            if step % STEPS_BETWEEN_REPORTS == 0:
                watch(step / len(steps))
        loss = total / len(order)
        if not math.isfinite(loss):
            raise TrainingError(f"{self._model.spec.label}: the error of epoch {self.state.epoch + 1} is no number; "
                                "are the recordings within ±1?")
        self._keep(loss, time.monotonic() - begun)
        watch(1.0)
        return loss

    def weights(self) -> NetworkWeights:
        """A copy of the network as it is."""
        views = [view.copy() for view in self._views()]
        layers = tuple(RecurrentWeights(*views[index : index + 3]) for index in range(0, len(views) - 2, 3))
        return NetworkWeights(self._model.spec, layers, views[-2], views[-1])

    def _keep(self, loss: float, seconds: float) -> None:
        self.state.epoch += 1
        self.state.elapsed_s += seconds
        self.state.history.append({"epoch": self.state.epoch, "loss": loss})
        self._adam.keep(self.state)

    def _views(self) -> list[Array]:
        """Every array of the network, as a window into the optimiser's vector."""
        views, start = [], 0
        for shape in self._layout:
            size = math.prod(shape)
            views.append(self._adam.parameters[start : start + size].reshape(shape))
            start += size
        return views


@dataclass
class Adam:
    """Adam on one vector, with Keras's constants; Kingma, Ba, "Adam: A Method for Stochastic Optimization", 2015.

    Attributes:
        parameters: (P,) float32, changed in place.
    """

    parameters: Array
    step: int = 0
    mean: Array = field(init=False)
    square: Array = field(init=False)

    def __post_init__(self) -> None:
        """Moments start at zero."""
        self.mean, self.square = np.zeros_like(self.parameters), np.zeros_like(self.parameters)

    def update(self, gradient: Array) -> None:
        """One step against ``gradient`` (P,)."""
        self.step += 1
        self.mean += 0.1 * (gradient - self.mean)
        self.square += 0.001 * (gradient * gradient - self.square)
        rate = np.float32(LEARNING_RATE * math.sqrt(1.0 - 0.999**self.step) / (1.0 - 0.9**self.step))
        self.parameters -= rate * self.mean / (np.sqrt(self.square) + 1e-7)

    def keep(self, state: TrainingState) -> None:
        """Write everything into ``state``."""
        state.weights = [self.parameters.copy()]
        state.optimizer = [self.mean.copy(), self.square.copy(), np.array([self.step])]

    def restore(self, state: TrainingState) -> None:
        """Go on from ``state``."""
        self.parameters[:] = state.weights[0]
        self.mean[:], self.square[:] = state.optimizer[:2]
        self.step = int(state.optimizer[2][0])


class _Gradient(Protocol):
    """Mean absolute error of a batch, and its gradient (P,) by all arrays in order."""

    def __call__(self, arrays: list[Array], frames: Array, targets: Array) -> tuple[float, Array]: ...


class KernelGradient:
    """In compiled C; raises KernelUnavailableError where that cannot be."""

    def __init__(self, spec: NetworkSpec) -> None:
        self._spec = spec
        self._layers = [RecurrentKernel(spec.kind.cell, size, spec.hidden_size) for size in spec.layer_input_sizes]

    def __call__(self, arrays: list[Array], frames: Array, targets: Array) -> tuple[float, Array]:
        """See :class:`_Gradient`."""
        batch = len(frames)
        rests = [[np.zeros((batch, self._spec.hidden_size), np.float32)] * layer.layout.state_arrays
                 for layer in self._layers]
        signal, histories = frames, []
        for index, (layer, rest) in enumerate(zip(self._layers, rests, strict=True)):
            head = arrays[-2:-1] if index == len(self._layers) - 1 else []
            signal, _, history = layer.forward(signal, *rest, *arrays[3 * index : 3 * index + 3], *head)
            histories.append(history)
        error = signal[:, -1] + arrays[-1] - targets
        if self._spec.skip:
            error += frames[:, -1]
        d_signal = np.zeros_like(signal)
        d_signal[:, -1] = np.sign(error) / batch
        gradients: list[Array] = [d_signal[:, -1].sum(axis=0)]
        for layer, rest, history in zip(self._layers[::-1], rests[::-1], histories[::-1], strict=True):
            d_signal, *others = layer.backward(history, d_signal, *rest)
            gradients = [*others[len(rest) :], *gradients]
        return float(np.mean(np.abs(error))), np.concatenate([gradient.ravel() for gradient in gradients])


class TapeGradient:
    """In TensorFlow, for machines without a compiler."""

    def __init__(self, model: PedalModel) -> None:
        self._model = model
        self._run = tf.function(self._run_eagerly, reduce_retracing=True)

    def __call__(self, arrays: list[Array], frames: Array, targets: Array) -> tuple[float, Array]:
        """See :class:`_Gradient`."""
        for variable, array in zip(self._model.trainable_variables, arrays, strict=True):
            variable.assign(array)
        loss, gradient = self._run(tf.constant(frames), tf.constant(targets))
        return float(loss), gradient.numpy()

    def _run_eagerly(self, frames: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(self._model.answer(frames) - targets))
        gradients = tape.gradient(loss, self._model.trainable_variables)
        return loss, tf.concat([tf.reshape(gradient, (-1,)) for gradient in gradients], axis=0)


def _choose_gradient(model: PedalModel) -> tuple[_Gradient, str]:
    try:
        return KernelGradient(model.spec), "native"
    except KernelUnavailableError as reason:
        return TapeGradient(model), f"tensorflow ({reason})"
