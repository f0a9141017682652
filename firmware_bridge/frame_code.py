"""A frame network (``float32`` or ``w8``) as C for machines with vectors (runtime/pedal_frames.c)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.gain import linear_gain
from neuralpedal.contract.network_file import read_recurrent_weights
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.firmware_bridge.c_text import array, define, float_literal
from neuralpedal.firmware_bridge.generated_code import GeneratedCode
from neuralpedal.firmware_bridge.unit_rows import kind_of
from neuralpedal.firmware_bridge.vector_kernel import VectorKernel

RUNTIME_FILES = ("pedal_frames.c", "pedal_frames.h", "pedal_gate_lanes.h", "pedal_lanes.h", "pedal_lstm_lanes.h",
                 "pedal_first_state.c")


def frame_code(file: TfliteFile, kernel: VectorKernel) -> GeneratedCode:
    """The C of a file; of ``kernel``, ``lanes``, ``together`` and ``precise`` count.

    Raises ModelFileError: no float network.
    """
    weights, manifest = read_recurrent_weights(file), file.manifest()
    spec = weights.spec
    frame = spec.frame_samples
    assert frame
    defines = (
        define("FRAME", frame, "samples that each output sample answers"),
        define("LANES", kernel.lanes), define("TOGETHER", kernel.together), define("INT16_WEIGHTS", 0),
        define("PRECISE", int(kernel.precise)),
        define("HEAD_BIAS", float_literal(weights.head_bias[0])),
        define("INPUT_GAIN", float_literal(linear_gain(manifest.input_gain_db))),
        define("OUTPUT_GAIN", float_literal(linear_gain(manifest.output_gain_db))),
    )
    return GeneratedCode(
        arithmetic="FLOAT", defines=defines, tables=tuple(_tables(weights)), tables_header="pedal_frames.h",
        runtime_files=RUNTIME_FILES, state_bytes=4 * (frame - 1), table_bytes=4 * (spec.num_parameters - 1))


def _tables(weights: NetworkWeights) -> Iterator[str]:
    for index, layer in enumerate(weights.layers):
        for name, matrix in (("bias", layer.bias[np.newaxis]), ("kernel", layer.kernel),
                             ("recurrent", layer.recurrent_kernel)):
            size = "PEDAL_ROWS" if len(matrix) == 1 else "PEDAL_WEIGHTS"
            yield _floats(f"pedal_layer{index}_{name}[{size}]", _by_unit(matrix, kind_of(weights).factors))
    yield _floats("pedal_head_weights[PEDAL_HIDDEN]", weights.head_kernel[:, 0])


def _by_unit(matrix: NDArray[Any], factors: NDArray[Any]) -> NDArray[Any]:
    """(inputs, 4·H) by gate to (units, inputs, 4), with the kernel's factors."""
    rows = matrix.reshape(len(matrix), 4, -1) * factors[:, np.newaxis]
    return rows.transpose(2, 0, 1)


def _floats(declaration: str, values: NDArray[Any]) -> str:
    return array(f"const float {declaration} PEDAL_ALIGNED", [("", map(float_literal, values.ravel()))])
