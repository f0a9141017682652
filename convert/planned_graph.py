"""A graph of a file as its plan (contract/graph_plan.py) says."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from neuralpedal.contract.graph_plan import FREE, GraphPlan, Step
from neuralpedal.contract.weights import Array
from neuralpedal.convert.float_matrices import AddMatrix
from neuralpedal.convert.layouts import BLOCK_SAMPLES
from neuralpedal.convert.tflite_writer import GraphWriter, Quantization

_OPTIONS = {"ADD": "Add", "CALL_ONCE": "CallOnce", "CONCATENATION": "Concatenation", "CONV_2D": "Conv2D",
            "DYNAMIC_UPDATE_SLICE": "DynamicUpdateSlice", "FULLY_CONNECTED": "FullyConnected", "GATHER": "Gather",
            "LEAKY_RELU": "LeakyRelu", "LESS": "Less", "MUL": "Mul", "RESHAPE": "Reshape", "SHAPE": "Shape",
            "SPLIT": "Split", "SPLIT_V": "SplitV", "STRIDED_SLICE": "StridedSlice", "SUB": "Sub",
            "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNN", "VAR_HANDLE": "VarHandle", "WHILE": "While"}
"""The schema's names of the operators' options; those of others are empty."""

_VERSIONS = {"BROADCAST_TO": 2, "FULLY_CONNECTED": 5}
"""The first that there is, and the first that keeps three dimensions; all others are of the first version."""


AddWeight = Callable[[GraphWriter, str], int]
"""Adds an array of the network by the plan's name; returns the tensor that operators read."""


def float_weights(arrays: Mapping[str, Array], add_matrix: AddMatrix) -> AddWeight:
    """Of ``arrays`` by the plan's names, outputs first; ``add_matrix`` adds those that are no biases."""
    def add(writer: GraphWriter, name: str) -> int:
        array = np.ascontiguousarray(arrays[name], dtype=np.float32)
        return add_matrix(writer, name, array) if array.ndim > 1 else writer.constant(name, array)

    return add


def write_plan(writer: GraphWriter, plan: GraphPlan, add_weight: AddWeight,
               formats: Mapping[str, Quantization] | None = None) -> tuple[list[int], list[int]]:
    """Add everything of a plan to a graph; the indices of the graph's inputs and outputs.

    Args:
        formats: of the plan's tensors in integers, by name.
    """
    formats = formats or {}
    tensors: dict[str, int] = {}
    for name, shape in plan.shapes.items():
        size = [BLOCK_SAMPLES + plan.longer.get(name, 0) if length == FREE else length for length in shape]
        if name in plan.variables:
            tensors[name] = writer.variable(name, size, plan.dtype(name))
        else:
            tensors[name] = writer.activation(name, size, plan.dtype(name), formats.get(name),
                                              free_axis=shape.index(FREE) if FREE in shape else None)
    for name, values in plan.constants.items():
        tensors[name] = writer.constant(name, values)
    for name in plan.weights:
        tensors[name] = add_weight(writer, name)
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
        setattr(values, attribute, value if isinstance(value, str) else type(getattr(values, attribute))(value))
    return getattr(schema.BuiltinOptions, name), values
