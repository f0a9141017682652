"""Dense layers that bend as C (runtime/pedal_dense.h)."""

from collections.abc import Iterator, Sequence

from neuralpedal.contract.dense import DenseLayer, DenseWeights
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.firmware_bridge.c_text import array, define, float_literal
from neuralpedal.firmware_bridge.weight_layout import unit_groups

_Place = tuple[str, Sequence[DenseLayer], Sequence[DenseWeights]]


def dense_defines(weights: NetworkWeights) -> Iterator[str]:
    """Of pedal_model.h; none for a network without such layers."""
    spec = weights.spec
    for place, said, layers in _places(weights):
        listed = " ".join(f"LAYER({place.lower()}{index}, {len(arrays.kernel)}, {layer.units}, {layer.activation})"
                          for index, (layer, arrays) in enumerate(zip(said, layers, strict=True)))
        yield define(f"{place}(LAYER)", listed)
    if spec.front:
        yield define("HEARD", spec.layer_input_sizes[0], "by the first recurrent layer")
    if spec.head:
        yield define("SUMMED", spec.sum_inputs, "by the output")


def dense_tables(weights: NetworkWeights, by_input: bool = False) -> Iterator[str]:
    """Of pedal_model.c; weights unit by unit or, for vectors, input by input."""
    for place, _, layers in _places(weights):
        for index, arrays in enumerate(layers):
            inputs, units = arrays.kernel.shape
            name = f"const float pedal_{place.lower()}{index}"
            items = [float_literal(value) for value in (arrays.kernel if by_input else arrays.kernel.T).ravel()]
            groups = [("", items)] if by_input else unit_groups(items, inputs, units)
            yield array(f"{name}_weights[{inputs * units}]", groups)
            yield array(f"{name}_bias[{units}]", [("", map(float_literal, arrays.bias))])


def dense_bytes(weights: NetworkWeights) -> int:
    """What the tables take, and behind dense layers those of the output's sum."""
    arrays = [array for layer in (*weights.front, *weights.head) for array in (layer.kernel, layer.bias)]
    return sum(array.nbytes for array in arrays) + (weights.head_kernel.nbytes if weights.head else 0)


def dense_stack_bytes(weights: NetworkWeights) -> int:
    """What the layers' answers take."""
    return sum(4 * layer.units for layer in (*weights.spec.front, *weights.spec.head))


def _places(weights: NetworkWeights) -> Iterator[_Place]:
    if weights.front:
        yield "FRONT", weights.spec.front, weights.front
    if weights.head:
        yield "BEHIND", weights.spec.head, weights.head
