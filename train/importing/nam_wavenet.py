"""NAM's WaveNets: A1, and the two sizes of A2, whose extras that nobody trains yet are refused by name.

Source: github.com/sdatkinson/neural-amp-modeler (nam/models/wavenet), NeuralAmpModelerCore (NAM/wavenet).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.wavenet import LEAKY_SLOPE, MAX_CHANNELS, MAX_LAYERS, ConvArray, WaveNetSpec, make_wavenet
from neuralpedal.contract.wavenet_weights import WaveNetWeights, wavenet_weights, weight_shapes
from neuralpedal.contract.weights import Array
from neuralpedal.train.importing.capture import float32
from neuralpedal.train.importing.json_node import JsonNode

ACTIVATION_NAMES = {"Tanh": "tanh", "ReLU": "relu", "LeakyReLU": "leaky_relu"}
"""Our activations by NAM's names."""

_FILMS = ("conv_pre_film", "conv_post_film", "input_mixin_pre_film", "input_mixin_post_film", "activation_pre_film",
          "activation_post_film", "layer1x1_post_film", "head1x1_post_film")


def read_wavenet(root: JsonNode, sample_rate_hz: int) -> WaveNetWeights:
    """The network in an object with ``config`` and ``weights``.

    Raises:
        ModelFileError: an extra that no network of ours has, a size out of range, too many or too few weights.
    """
    config = root["config"]
    for extra in ("condition_dsp", "head"):
        if extra in config:
            raise ModelFileError(f"{root.path}: a WaveNet with {extra}, which cannot be imported yet")
    arrays = tuple(_array(node) for node in config["layers"].items())
    scale = config["head_scale"].number()
    spec = _checked(root, arrays, scale, sample_rate_hz)
    flat, wanted = root["weights"].array(None), spec.num_parameters + 1
    if len(flat) != wanted:
        raise ModelFileError(f"{root.path}: {len(flat)} weights, but a WaveNet of this shape has {wanted}; export it "
                             "again")
    if np.float32(scale) != np.float32(flat[-1]):
        # The scale stands behind the weights a second time, and that one is played.
        spec = _checked(root, arrays, float(flat[-1]), sample_rate_hz)
    return wavenet_weights(spec, list(_in_our_layout(spec, flat)))


def _in_our_layout(spec: WaveNetSpec, flat: NDArray[np.float64]) -> Iterator[Array]:
    """NAM's matrices are (outputs, inputs, taps): ours the other way round."""
    start = 0
    for shape in weight_shapes(spec):
        size = int(np.prod(shape))
        yield float32(flat[start : start + size].reshape(shape[::-1]).transpose())
        start += size


def _array(node: JsonNode) -> ConvArray:
    _refuse_extras(node)
    dilations = [item.integer(1, 8192) for item in node["dilations"].items()]
    has_head = "head" in node
    head = node["head"] if has_head else node
    fields: dict[str, Any] = {
        "channels": node["channels"].integer(1, MAX_CHANNELS), "dilations": dilations,
        "kernel_sizes": _kernel_sizes(node, len(dilations)), "activation": _activation(node, len(dilations)),
        "gated": _gated(node),
        "head_size": head["out_channels" if has_head else "head_size"].integer(1, MAX_CHANNELS),
        "head_kernel_size": head["kernel_size"].integer(1, 64) if has_head else 1,
        "head_bias": bool(head["bias" if has_head else "head_bias"].value),
    }
    if node["condition_size"].integer(1, MAX_CHANNELS) != 1:
        raise node["condition_size"].wrong("1")
    if len(dilations) > MAX_LAYERS:
        raise ModelFileError(f"{node.path}: {node.place} has {len(dilations)} layers, wanted at most {MAX_LAYERS}")
    return ConvArray(**fields)


def _kernel_sizes(node: JsonNode, layers: int) -> list[int]:
    if "kernel_sizes" not in node:
        return [node["kernel_size"].integer(1, 64)] * layers
    sizes = [item.integer(1, 64) for item in node["kernel_sizes"].items()]
    if len(sizes) != layers:
        raise ModelFileError(f"{node.path}: {node.place} has {len(sizes)} kernel sizes for {layers} layers")
    return sizes


def _activation(node: JsonNode, layers: int) -> str:
    """One activation for all layers, by our name."""
    found = node["activation"]
    each = list(found.items()) if isinstance(found.value, list) else [found] * layers
    names = {_activation_name(item) for item in each}
    if len(names) != 1 or len(each) != layers:
        raise ModelFileError(f"{node.path}: {found.place} has {len(each)} activations of {len(names)} kinds, wanted "
                             "the same one for every layer")
    return names.pop()


def _activation_name(node: JsonNode) -> str:
    name = (node["type"] if isinstance(node.value, dict) else node).text()
    if name not in ACTIVATION_NAMES:
        raise ModelFileError(f"{node.path}: {node.place} is {name[:40]!r}, wanted one of {', '.join(ACTIVATION_NAMES)}")
    slope = node["negative_slope"].number() if name == "LeakyReLU" and "negative_slope" in node else LEAKY_SLOPE
    if slope != LEAKY_SLOPE:
        raise ModelFileError(f"{node.path}: {node.place} has a slope of {slope}, wanted {LEAKY_SLOPE}")
    return ACTIVATION_NAMES[name]


def _gated(node: JsonNode) -> bool:
    if "gating_mode" not in node:
        return "gated" in node and bool(node["gated"].value)
    found = node["gating_mode"].value
    modes = set(found) if isinstance(found, list) and all(isinstance(mode, str) for mode in found) else {str(found)}
    if not (modes == {"none"} or modes == {"gated"}):
        raise ModelFileError(f"{node.path}: {node.place}.gating_mode is {sorted(modes)}, wanted none or gated")
    return modes == {"gated"}


def _refuse_extras(node: JsonNode) -> None:
    extras = [name for name in _FILMS if name in node and _active(node[name])]
    if "head1x1" in node and _active(node["head1x1"]):
        extras.append("head1x1")
    if "layer1x1" in node and not _active(node["layer1x1"]):
        extras.append("layers without layer1x1")
    if "slimmable" in node:
        extras.append("slimmable")
    extras += [name for name in ("groups_input", "groups_input_mixin") if name in node and node[name].value != 1]
    if "bottleneck" in node and node["bottleneck"].value != node["channels"].value:
        extras.append("bottleneck")
    if extras:
        raise ModelFileError(f"{node.path}: {node.place} has {', '.join(extras)}, which cannot be imported yet")


def _active(node: JsonNode) -> bool:
    return isinstance(node.value, dict) and bool(node.value.get("active"))


def _checked(root: JsonNode, arrays: tuple[ConvArray, ...], head_scale: float, sample_rate_hz: int) -> WaveNetSpec:
    try:
        return make_wavenet(arrays=arrays, head_scale=head_scale, sample_rate_hz=sample_rate_hz)
    except SpecError as error:
        raise ModelFileError(f"{root.path}: {str(error)[:300]}; export it again") from error
