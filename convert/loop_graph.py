"""A network whose cell has no fused operator as a TFLite graph: contract/loop_plan.py, written down.

A graph unrolled for a block would be about as fast, ten times larger, and made for one length of block; one of a single
step, which the player calls for every sample, costs a call of the interpreter per sample.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.loop_plan import FREE, HEAD_BIAS, HEAD_KERNEL, GraphPlan, Step, loop_plans, weight_name
from neuralpedal.contract.manifest import METADATA_NAME, Manifest, encode_manifest
from neuralpedal.contract.weights import Array, NetworkWeights
from neuralpedal.convert.float_matrices import AddMatrix
from neuralpedal.convert.layouts import BLOCK_SAMPLES
from neuralpedal.convert.tflite_writer import GraphWriter, TfliteWriter

_OPTIONS = {"ADD": "Add", "CONCATENATION": "Concatenation", "DYNAMIC_UPDATE_SLICE": "DynamicUpdateSlice",
            "FULLY_CONNECTED": "FullyConnected", "GATHER": "Gather", "LESS": "Less", "MUL": "Mul",
            "RESHAPE": "Reshape", "SHAPE": "Shape", "SPLIT_V": "SplitV", "SUB": "Sub",
            "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNN", "WHILE": "While"}
"""The schema's names of the operators' options; those of others are empty."""

_VERSIONS = {"FULLY_CONNECTED": 5}
"""The first that keeps three dimensions; all others are of the first version."""


def build_loop(weights: NetworkWeights, manifest: Manifest, add_matrix: AddMatrix) -> bytes:
    """The file of a network; its matrices as ``add_matrix`` has them.

    Raises:
        SpecError: a network that begins in a state of its own, which such files have no place for.
    """
    if weights.initial_state is not None:
        raise SpecError(f"{weights.spec.label}: begins in a state of its own; files of this family begin in zero state")
    plans, arrays = loop_plans(weights.spec), dict(_arrays(weights))
    writer = TfliteWriter(f"neuralpedal {weights.spec.label} {manifest.scheme}")
    graphs: list[GraphWriter] = [writer, *map(writer.called, ("goes_on", "sample"))]
    borders = [_write(graph, plan, arrays, add_matrix) for graph, plan in zip(graphs, plans, strict=True)]
    called = [graph.graph(*border) for graph, border in zip(graphs[1:], borders[1:], strict=True)]
    return writer.finish(*borders[0], {METADATA_NAME: encode_manifest(manifest)}, called)


def _arrays(weights: NetworkWeights) -> Iterator[tuple[str, Array]]:
    """By the plan's names, as TFLite wants them: matrices (outputs, inputs)."""
    for index, layer in enumerate(weights.layers):
        yield weight_name(index, "kernel"), layer.kernel.T
        yield weight_name(index, "recurrent_kernel"), layer.recurrent_kernel.T
        for row, bias in enumerate(np.atleast_2d(layer.bias)):
            yield weight_name(index, f"bias_{row}"), bias
    yield HEAD_KERNEL, weights.head_kernel.T
    yield HEAD_BIAS, weights.head_bias


def _write(writer: GraphWriter, plan: GraphPlan, arrays: dict[str, Array],
           add_matrix: AddMatrix) -> tuple[list[int], list[int]]:
    """Everything of a plan; the indices of the graph's inputs and outputs."""
    tensors: dict[str, int] = {}
    for name, shape in plan.shapes.items():
        size = [BLOCK_SAMPLES if length == FREE else length for length in shape]
        if name in plan.variables:
            tensors[name] = writer.variable(name, size, np.float32)
        else:
            tensors[name] = writer.activation(name, size, plan.dtypes.get(name, np.float32),
                                              free_axis=shape.index(FREE) if FREE in shape else None)
    for name, values in plan.constants.items():
        tensors[name] = writer.constant(name, values)
    for name in plan.weights:
        array = np.ascontiguousarray(arrays[name], dtype=np.float32)
        tensors[name] = add_matrix(writer, name, array) if array.ndim == 2 else writer.constant(name, array)
    for step in plan.steps:
        writer.operator(getattr(schema.BuiltinOperator, step.operator), _VERSIONS.get(step.operator, 1),
                        [tensors[name] for name in step.inputs], [tensors[name] for name in step.outputs],
                        _options(step))
    return [tensors[name] for name in plan.inputs], [tensors[name] for name in plan.outputs]


def _options(step: Step) -> tuple[int, Any] | None:
    if step.operator not in _OPTIONS:
        return None
    name = f"{_OPTIONS[step.operator]}Options"
    values = getattr(schema, f"{name}T")()
    for option, value in step.options.items():
        first, *others = option.split("_")
        attribute = first + "".join(part.capitalize() for part in others)
        setattr(values, attribute, type(getattr(values, attribute))(value))
    return getattr(schema.BuiltinOptions, name), values
