"""What the Keras models of all families share: mono in, mono out, a state that is carried on, one spec.

Subclasses of keras.Model built from a spec alone, so that ``model.keras`` carries everything (the sample rate included)
and opens with plain ``keras.models.load_model`` once their module was imported.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from neuralpedal.contract.any_network import AnyWeights
from neuralpedal.train.networks.recurrent_stack import States

Tensor = Any


class Stack(Protocol):
    """The layers of a model, as far as all models ask for them; see RecurrentStack."""

    @property
    def matrices(self) -> list[Any]:
        """All weight matrices; the other weights are biases."""

    def view_matrices(self, view: Callable[[Tensor], Tensor]) -> None:
        """Compute with ``view(matrix)`` instead of every weight matrix."""

    def last_output(self, inputs: Tensor) -> Tensor:
        """The last output sample (B, 1) alone of ``inputs`` (B, T, 1)."""


class Player(Protocol):
    """How a stack is fed; see Streaming and Framing."""

    samples_at_once: int

    def zero_states(self, batch: Any) -> States:
        """States before the first sample."""

    def run(self, inputs: Tensor, states: States) -> tuple[Tensor, States]:
        """Output and states after it."""

    def warm_up(self, inputs: Tensor, states: States) -> States:
        """States alone."""

    def one_shot(self, inputs: Tensor, states: States) -> Tensor:
        """Output alone."""


class NetworkModel(keras.Model):
    """Mono in, mono out: (B, T, 1) float32 to the same shape.

    Attributes:
        spec: what was built.
    """

    spec: Any
    _stack: Stack
    _player: Player

    @property
    def is_matrix(self) -> list[bool]:
        """For each of ``weights``, whether it is a matrix (which has a grid) or a bias, whatever its shape."""
        matrices = {id(matrix) for matrix in self._stack.matrices}
        return [id(weight) in matrices for weight in self.weights]

    @property
    def samples_at_once(self) -> int:
        """How much of one track :meth:`stream` should be given at most, so that memory stays bounded."""
        return self._player.samples_at_once

    def call(self, inputs: Tensor) -> Tensor:
        """One shot from the state that it begins in."""
        output = self._player.one_shot(inputs, self.first_states(tf.shape(inputs)[0]))
        return output + inputs if self.spec.skip else output

    def stream(self, inputs: Tensor, states: States) -> tuple[Tensor, States]:
        """The output of ``inputs`` (B, T, 1) when the network is in ``states``, and the states afterwards.

        A network with a frame computes all B·T frames as one batch: its caller keeps the memory bounded.
        """
        output, after = self._player.run(inputs, states)
        return (output + inputs if self.spec.skip else output), after

    def answer(self, frames: Tensor) -> Tensor:
        """The last output sample (N, 1) of each of N stretches of audio (N, F, 1), from zero state.

        All that a network with a frame computes; for one that streams, its output F − 1 samples after it woke up.
        """
        output = self._stack.last_output(frames)
        return output + frames[:, -1] if self.spec.skip else output

    def warm_up(self, inputs: Tensor, states: States) -> States:
        """The states after ``inputs`` (B, T, 1), where the output is of no interest."""
        return self._player.warm_up(inputs, states)

    def zero_states(self, batch: Any) -> States:
        """States to train from: a list of tuples of arrays, batch first; zero, or what silence leaves of a WaveNet."""
        return self._player.zero_states(batch)

    def first_states(self, batch: Any) -> States:
        """States before the first sample of a track, as :meth:`zero_states`."""
        return self.zero_states(batch)

    def view_matrices(self, view: Callable[[Tensor], Tensor]) -> None:
        """Compute with ``view(matrix)`` instead of every weight matrix; compiled functions must be traced anew."""
        self._stack.view_matrices(view)

    def process(self, samples: np.ndarray, chunk: int | None = None) -> np.ndarray:
        """Stream one track (T,) from its beginning; float32 (T,). Chunks bound the memory, the result is the same."""
        size, states, outputs = chunk or self.samples_at_once, self.first_states(1), []
        for start in range(0, len(samples), size):
            block = tf.constant(samples[np.newaxis, start : start + size, np.newaxis], tf.float32)
            output, states = self.stream(block, states)
            outputs.append(output.numpy()[0, :, 0])
        return np.concatenate(outputs) if outputs else np.zeros(0, np.float32)

    @abstractmethod
    def network_weights(self) -> AnyWeights:
        """A copy of the weights as plain arrays. Raises ModelFileError when one is NaN."""

    @abstractmethod
    def assign(self, weights: Any) -> None:
        """Take over plain arrays."""
