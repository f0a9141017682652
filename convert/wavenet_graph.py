"""A WaveNet as a TFLite graph: contract/wavenet_plan.py, written down."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.wavenet_file import rests
from neuralpedal.contract.wavenet_plan import array_weight, layer_weight, wavenet_plans
from neuralpedal.contract.wavenet_weights import WaveNetWeights, wavenet_weights
from neuralpedal.contract.weights import Array
from neuralpedal.convert.float_matrices import AddMatrix, add_float_matrix, add_int8_matrix
from neuralpedal.convert.planned_graph import float_weights, write_plan
from neuralpedal.convert.self_description import self_description
from neuralpedal.convert.tflite_writer import GraphWriter, TfliteWriter
from neuralpedal.convert.weight_quantization import quantize_per_channel


def build_wavenet_float32(weights: WaveNetWeights, manifest: Manifest) -> bytes:
    """The file with float32 weights."""
    return _build(weights, manifest, add_float_matrix)


def build_wavenet_w8(weights: WaveNetWeights, manifest: Manifest) -> bytes:
    """The file with int8 weights per output channel; biases, and what has one input alone, are float32."""
    return _build(grid_weights(weights), manifest, _add_int8)


def grid_weights(weights: WaveNetWeights) -> WaveNetWeights:
    """What a ``w8`` file holds of ``weights``."""
    return wavenet_weights(weights.spec, [_on_grid(array) for array in weights.arrays()])


def _build(weights: WaveNetWeights, manifest: Manifest, add_matrix: AddMatrix) -> bytes:
    main, beginning = wavenet_plans(weights.spec)
    writer = TfliteWriter(f"neuralpedal {weights.spec.label} {manifest.scheme}")
    border = write_plan(writer, main, float_weights(dict(arrays_by_name(weights)), add_matrix))
    first = writer.called("beginning")
    first_border = write_plan(first, beginning, float_weights(rests(weights), add_float_matrix))
    return writer.finish(*border, self_description(weights, manifest), [first.graph(*first_border)])


def arrays_by_name(weights: WaveNetWeights) -> Iterator[tuple[str, Array]]:
    """By the plan's names, as TFLite wants them: outputs first, kernels (outputs, 1, taps, inputs)."""
    for index, array in enumerate(weights.arrays_of_layers):
        yield array_weight(index, "entry"), array.entry.T
        for place, layer in enumerate(array.layers):
            yield layer_weight(index, place, "kernel"), _as_image(layer.kernel)
            for name in ("bias", "mixin", "mix", "mix_bias"):
                yield layer_weight(index, place, name), getattr(layer, name).T
        yield array_weight(index, "head"), _as_image(array.head)
        if array.head_bias is not None:
            yield array_weight(index, "head_bias"), array.head_bias


def _as_image(kernel: Array) -> Array:
    """(taps, inputs, outputs) as (outputs, 1, taps, inputs)."""
    return kernel.transpose(2, 0, 1)[:, np.newaxis]


def _add_int8(writer: GraphWriter, name: str, matrix: NDArray[np.float32]) -> int:
    # On a grid of its own a single weight is what it was, and int8 with a scale is more than the weight.
    return add_float_matrix(writer, name, matrix) if matrix[0].size == 1 else add_int8_matrix(writer, name, matrix)


def _on_grid(array: Array) -> Array:
    inputs = array.reshape(-1, array.shape[-1])
    if array.ndim == 1 or len(inputs) == 1:
        return array
    return quantize_per_channel(np.ascontiguousarray(inputs.T)).dequantized().T.reshape(array.shape)
