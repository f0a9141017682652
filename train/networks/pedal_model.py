"""The Keras model of a pedal: recurrent layers, a linear head, and the input added to the output.

A family decides what the layers are made of and how they are fed; all else is the same for every network.

A subclass of keras.Model built from a spec alone, so that ``model.keras`` carries everything (the sample rate
included) and opens with plain ``keras.models.load_model`` once this module was imported.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from neuralpedal.contract.arithmetic import LayerArithmetic
from neuralpedal.contract.atomic import replacing
from neuralpedal.contract.errors import ModelFileError, PedalError
from neuralpedal.contract.initial_state import as_lists, checked_initial_state
from neuralpedal.contract.spec import NetworkSpec, make_spec
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights
from neuralpedal.train.native.grids import NO_GRIDS
from neuralpedal.train.native.recurrent_op import native_recurrent
from neuralpedal.train.networks.framing import Framing
from neuralpedal.train.networks.fused_lstm import FusedLSTM
from neuralpedal.train.networks.gru_layer import GruLayer
from neuralpedal.train.networks.recurrent_layer import RecurrentLayer
from neuralpedal.train.networks.recurrent_stack import RecurrentStack, States
from neuralpedal.train.networks.rnn_layer import RnnLayer
from neuralpedal.train.networks.streaming import Streaming

Tensor = Any

LAYERS: dict[str, type[RecurrentLayer]] = {"lstm": FusedLSTM, "gru": GruLayer, "rnn": RnnLayer}
"""What builds a layer of each cell."""


@keras.saving.register_keras_serializable(package="neuralpedal")
class PedalModel(keras.Model):
    """Mono in, mono out: (B, T, 1) float32 to the same shape.

    Args:
        spec: what to build; a dict when Keras loads a file.
        lanes: parts of a batch that run on different cores.
        initial_state: what it begins in, see NetworkWeights; it is not trained. None for zero state.
    """

    def __init__(self, spec: NetworkSpec | dict[str, Any], lanes: int = 1,
                 initial_state: Sequence[Sequence[Any]] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec = spec if isinstance(spec, NetworkSpec) else make_spec(**spec)
        self._initial_state = checked_initial_state(self.spec, initial_state)
        cell = self.spec.kind.cell
        self.recurrent = [LAYERS[cell](self.spec.hidden_size, lanes=lanes, name=f"{cell}_{index}")
                          for index in range(self.spec.num_layers)]
        self.head = keras.layers.Dense(1, name="head")
        self._stack = RecurrentStack(self.recurrent, self.head)
        self._player = _choose_player(self.spec, self._stack)

    def build(self, input_shape: Any) -> None:
        """Create all weights; the shape is always (B, T, 1)."""
        for layer, size in zip(self.recurrent, self.spec.layer_input_sizes, strict=True):
            if not layer.built:
                layer.build((None, None, size))
                layer.built = True
        if not self.head.built:
            self.head.build((None, None, self.spec.hidden_size))
        self.built = True

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
        """States to train from: a list of tuples of arrays, batch first, all zero."""
        return self._player.zero_states(batch)

    def first_states(self, batch: Any) -> States:
        """States before the first sample of a track, as :meth:`zero_states`; zero but for a network with its own."""
        if self._initial_state is None:
            return self.zero_states(batch)
        return [tuple(tf.repeat(tf.constant(array)[tf.newaxis], batch, axis=0) for array in layer)
                for layer in self._initial_state]

    def view_matrices(self, view: Callable[[Tensor], Tensor]) -> None:
        """Compute with ``view(matrix)`` instead of every weight matrix; compiled functions must be traced anew."""
        self._stack.view_matrices(view)

    def use_native(self, arithmetics: Sequence[LayerArithmetic] | None = None) -> None:
        """Run the recurrent layers in compiled C, on each layer's grids if they are given.

        Raises KernelUnavailableError where that cannot be.
        """
        grids = arithmetics or [NO_GRIDS] * self.spec.num_layers
        ops = [native_recurrent(self.spec.kind.cell, size, self.spec.hidden_size, layer_grids)
               for size, layer_grids in zip(self.spec.layer_input_sizes, grids, strict=True)]
        for layer, op in zip(self.recurrent, ops, strict=True):
            layer.native = op

    def process(self, samples: np.ndarray, chunk: int | None = None) -> np.ndarray:
        """Stream one track (T,) from its beginning; float32 (T,). Chunks bound the memory, the result is the same."""
        size, states, outputs = chunk or self.samples_at_once, self.first_states(1), []
        for start in range(0, len(samples), size):
            block = tf.constant(samples[np.newaxis, start : start + size, np.newaxis], tf.float32)
            output, states = self.stream(block, states)
            outputs.append(output.numpy()[0, :, 0])
        return np.concatenate(outputs) if outputs else np.zeros(0, np.float32)

    def network_weights(self) -> NetworkWeights:
        """A copy of the weights as plain arrays. Raises ModelFileError when one is NaN."""
        layers = tuple(
            RecurrentWeights(*(np.array(weight, np.float32) for weight in
                               (layer.kernel, layer.recurrent_kernel, layer.bias)))
            for layer in self.recurrent
        )
        return NetworkWeights(self.spec, layers, np.array(self.head.kernel, np.float32),
                              np.array(self.head.bias, np.float32), self._initial_state)

    def assign(self, weights: NetworkWeights) -> None:
        """Take over plain arrays."""
        self.build(None)
        for layer, arrays in zip(self.recurrent, weights.layers, strict=True):
            layer.set_weights([arrays.kernel, arrays.recurrent_kernel, arrays.bias])
        self.head.set_weights([weights.head_kernel, weights.head_bias])
        self._initial_state = weights.initial_state

    def get_config(self) -> dict[str, Any]:
        """Keras configuration: the spec is all, but for a network that begins in a state of its own.

        Such a file is refused by versions that do not know of it: they would begin it otherwise.
        """
        beginning = {} if self._initial_state is None else {"initial_state": as_lists(self._initial_state)}
        return {"spec": self.spec.model_dump(mode="json"), "name": self.name, **beginning}


def _choose_player(spec: NetworkSpec, stack: RecurrentStack) -> Streaming | Framing:
    return Framing(stack, spec.frame_samples, spec.hidden_size) if spec.frame_samples else Streaming(stack)


def build_model(spec: NetworkSpec, lanes: int = 1) -> PedalModel:
    """A new network with its weights created from Keras's current seed."""
    model = PedalModel(spec, lanes=lanes)
    model.build(None)
    return model


def save_model(model: PedalModel, path: Path) -> None:
    """Write ``model.keras``, whole or not at all. Raises OutputError."""
    with replacing(path) as temporary:
        model.save(temporary)


def load_model(path: Path) -> PedalModel:
    """Open a ``.keras`` file that train wrote.

    Raises:
        ModelFileError: missing, damaged, or another kind of model.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file; give the run folder or model.keras that train wrote")
    try:
        model = keras.models.load_model(path, compile=False)
    except PedalError as error:
        raise ModelFileError(f"{path}: {error}") from error
    # Keras raises whatever its zip, JSON or HDF5 reader happens to raise on a damaged file.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, EOFError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFileError(f"{path}: not a Keras model that can be opened ({reason})") from error
    if not isinstance(model, PedalModel):
        raise ModelFileError(f"{path}: a Keras {type(model).__name__}, wanted a PedalModel as train writes it")
    return model
