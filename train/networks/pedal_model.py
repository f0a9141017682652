"""The Keras model of a pedal: recurrent layers, a linear head, and the input added to the output.

A subclass of keras.Model built from a spec alone, so that ``model.keras`` carries everything (the sample rate
included) and opens with plain ``keras.models.load_model`` once this module was imported.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from neuralpedal.contract.atomic import replacing
from neuralpedal.contract.errors import ModelFileError, PedalError
from neuralpedal.contract.spec import NetworkSpec, make_spec
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights
from neuralpedal.train.native.lstm_op import native_lstm
from neuralpedal.train.networks.fused_lstm import FusedLSTM

Tensor = Any
States = list[tuple[Tensor, Tensor]]


@keras.saving.register_keras_serializable(package="neuralpedal")
class PedalModel(keras.Model):
    """Mono in, mono out: (B, T, 1) float32 to the same shape, from zero state.

    Args:
        spec: what to build; a dict when Keras loads a file.
        lanes: parts of a batch that run on different cores.
    """

    def __init__(self, spec: NetworkSpec | dict[str, Any], lanes: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec = spec if isinstance(spec, NetworkSpec) else make_spec(**spec)
        self.recurrent = [
            FusedLSTM(self.spec.hidden_size, lanes=lanes, name=f"lstm_{index}") for index in range(self.spec.num_layers)
        ]
        self.head = keras.layers.Dense(1, name="head")
        self._matrix_view: Callable[[Tensor], Tensor] = tf.convert_to_tensor

    def build(self, input_shape: Any) -> None:
        """Create all weights; the shape is always (B, T, 1)."""
        for layer, size in zip(self.recurrent, self.spec.layer_input_sizes, strict=True):
            if not layer.built:
                layer.build((None, None, size))
                layer.built = True
        if not self.head.built:
            self.head.build((None, None, self.spec.hidden_size))
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """One shot from zero state."""
        return self.stream(inputs, self.zero_states(tf.shape(inputs)[0]))[0]

    def stream(self, inputs: Tensor, states: States) -> tuple[Tensor, States]:
        """The output of ``inputs`` (B, T, 1) when the network is in ``states``, and the states afterwards."""
        signal, after = inputs, []
        for layer, state in zip(self.recurrent[:-1], states[:-1], strict=True):
            signal, *last = layer.run(signal, state)
            after.append(tuple(last))
        head = self._matrix_view(tf.convert_to_tensor(self.head.kernel))
        signal, *last = self.recurrent[-1].run_with_head(signal, states[-1], head)
        after.append(tuple(last))
        output = signal + self.head.bias
        return (output + inputs if self.spec.skip else output), after

    def zero_states(self, batch: Any) -> States:
        """(h, c) of zeros for every recurrent layer, each (batch, H)."""
        return [(tf.zeros((batch, self.spec.hidden_size)),) * 2 for _ in self.recurrent]

    def view_matrices(self, view: Callable[[Tensor], Tensor]) -> None:
        """Compute with ``view(matrix)`` instead of every weight matrix; compiled functions must be traced anew."""
        self._matrix_view = view
        for layer in self.recurrent:
            layer.matrix_view = view

    def use_native(self) -> None:
        """Run the recurrent layers in compiled C. Raises KernelUnavailableError where that cannot be."""
        ops = [native_lstm(size, self.spec.hidden_size) for size in self.spec.layer_input_sizes]
        for layer, op in zip(self.recurrent, ops, strict=True):
            layer.native = op

    def process(self, samples: np.ndarray, chunk: int = 48_000) -> np.ndarray:
        """Stream one track (T,) from zero state; float32 (T,). Chunks bound the memory, the result does not change."""
        states, outputs = self.zero_states(1), []
        for start in range(0, len(samples), chunk):
            block = tf.constant(samples[np.newaxis, start : start + chunk, np.newaxis], tf.float32)
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
                              np.array(self.head.bias, np.float32))

    def assign(self, weights: NetworkWeights) -> None:
        """Take over plain arrays."""
        self.build(None)
        for layer, arrays in zip(self.recurrent, weights.layers, strict=True):
            layer.set_weights([arrays.kernel, arrays.recurrent_kernel, arrays.bias])
        self.head.set_weights([weights.head_kernel, weights.head_bias])

    def get_config(self) -> dict[str, Any]:
        """Keras configuration: the spec is all."""
        return {"spec": self.spec.model_dump(mode="json"), "name": self.name}


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
