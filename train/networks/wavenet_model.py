"""The Keras model of a WaveNet."""

from typing import Any

import keras
import numpy as np

from neuralpedal.contract.wavenet import WaveNetSpec, make_wavenet
from neuralpedal.contract.wavenet_weights import WaveNetWeights, wavenet_weights
from neuralpedal.train.native.wavenet_op import native_wavenet
from neuralpedal.train.networks.network_model import NetworkModel
from neuralpedal.train.networks.streaming import Streaming
from neuralpedal.train.networks.wavenet_stack import ConvArrayLayer, WaveNetStack


@keras.saving.register_keras_serializable(package="neuralpedal")
class WaveNetModel(NetworkModel):
    """Arrays of dilated convolutions.

    Args:
        spec: what to build; a dict when Keras loads a file.
    """

    def __init__(self, spec: WaveNetSpec | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec: WaveNetSpec = spec if isinstance(spec, WaveNetSpec) else make_wavenet(**spec)
        self.conv_arrays = [ConvArrayLayer(array, inputs, name=f"array_{index}") for index, (array, inputs)
                            in enumerate(zip(self.spec.arrays, self.spec.array_input_sizes, strict=True))]
        self._stack: WaveNetStack = WaveNetStack(self.spec, self.conv_arrays)
        self._player = Streaming(self._stack)

    def build(self, input_shape: Any) -> None:
        """Create all weights; the shape is always (B, T, 1)."""
        for layer in self.conv_arrays:
            if not layer.built:
                layer.build(None)
        self.built = True

    def use_native(self) -> None:
        """Run the network in compiled C. Raises KernelUnavailableError where that cannot be."""
        self._stack.native = native_wavenet(self.spec)

    def network_weights(self) -> WaveNetWeights:
        """See NetworkModel."""
        return wavenet_weights(self.spec, [np.array(weight, np.float32) for weight in self._stack.weights])

    def assign(self, weights: WaveNetWeights) -> None:
        """See NetworkModel."""
        self.build(None)
        for variable, array in zip(self._stack.weights, weights.arrays(), strict=True):
            variable.assign(array)

    def get_config(self) -> dict[str, Any]:
        """Keras configuration: the spec is all."""
        return {"spec": self.spec.model_dump(mode="json"), "name": self.name}
