"""What the compiled WaveNet is told of its network: a C header, and where everything lies in flat arrays."""

from neuralpedal.contract.wavenet import ConvArray, WaveNetSpec

MAX_SPAN = 65_536
"""Samples that one layer may look back; beyond it the working memory has no bounds."""


def shape_header(spec: WaveNetSpec) -> str:
    """``wavenet_shape.h`` of a network: kinds of layers, layers and arrays as lists of macro calls."""
    kinds = dict.fromkeys((array, taps) for array in spec.arrays for taps in array.kernel_sizes)
    shapes = dict.fromkeys(f"SHAPE({_name(*kind)}, {_sizes(*kind)}, {kind[0].activation.upper()})" for kind in kinds)
    layers = [f"LAYER({_name(array, taps)}, {_sizes(array, taps)}, {dilation})" for array in spec.arrays
              for taps, dilation in zip(array.kernel_sizes, array.dilations, strict=True)]
    arrays = [f"ARRAY({inputs}, {array.channels}, {array.head_size}, {array.head_kernel_size}, {int(array.head_bias)}, "
              f"{len(array.dilations)})" for array, inputs in zip(spec.arrays, spec.array_input_sizes, strict=True)]
    lines = [_list("PEDAL_SHAPES(SHAPE)", shapes), _list("PEDAL_LAYERS(LAYER)", layers),
             _list("PEDAL_ARRAYS(ARRAY)", arrays),
             f"#define PEDAL_MOST_CHANNELS {max(array.channels for array in spec.arrays)}"]
    return "\n".join(lines) + "\n"


def num_state(spec: WaveNetSpec) -> int:
    """Floats of one track's past: of every layer (C, span), of every head (C, taps − 1), array by array."""
    return sum(array.channels * sum(array.all_spans) for array in spec.arrays)


def _name(array: ConvArray, taps: int) -> str:
    return f"c{array.channels}_m{array.sums}_k{taps}_{array.activation}"


def _sizes(array: ConvArray, taps: int) -> str:
    return f"{array.channels}, {array.sums}, {taps}"


def _list(name: str, calls: list[str] | dict[str, None]) -> str:
    return f"#define {name} \\\n    " + " \\\n    ".join(calls)
