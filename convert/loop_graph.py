"""A network whose cell has no fused operator as a TFLite graph: contract/loop_plan.py, written down.

A graph unrolled for a block would be about as fast, ten times larger, and made for one length of block; one of a single
step, which the player calls for every sample, costs a call of the interpreter per sample.
"""

from collections.abc import Iterator

import numpy as np

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.graph_plan import dense_name
from neuralpedal.contract.loop_plan import HEAD_BIAS, HEAD_KERNEL, loop_plans, weight_name
from neuralpedal.contract.manifest import METADATA_NAME, Manifest, encode_manifest
from neuralpedal.contract.weights import Array, NetworkWeights
from neuralpedal.convert.float_matrices import AddMatrix
from neuralpedal.convert.planned_graph import float_weights, write_plan
from neuralpedal.convert.tflite_writer import GraphWriter, TfliteWriter


def build_loop(weights: NetworkWeights, manifest: Manifest, add_matrix: AddMatrix) -> bytes:
    """The file of a network; its matrices as ``add_matrix`` has them.

    Raises:
        SpecError: a network that begins in a state of its own, which such files have no place for.
    """
    if weights.initial_state is not None:
        raise SpecError(f"{weights.spec.label}: begins in a state of its own; files of this family begin in zero state")
    plans, add_weight = loop_plans(weights.spec), float_weights(dict(_arrays(weights)), add_matrix)
    writer = TfliteWriter(f"neuralpedal {weights.spec.label} {manifest.scheme}")
    graphs: list[GraphWriter] = [writer, *map(writer.called, ("goes_on", "sample"))]
    borders = [write_plan(graph, plan, add_weight) for graph, plan in zip(graphs, plans, strict=True)]
    called = [graph.graph(*border) for graph, border in zip(graphs[1:], borders[1:], strict=True)]
    return writer.finish(*borders[0], {METADATA_NAME: encode_manifest(manifest)}, called)


def _arrays(weights: NetworkWeights) -> Iterator[tuple[str, Array]]:
    """By the plan's names, as TFLite wants them: matrices (outputs, inputs)."""
    for place, dense_layers in (("front", weights.front), ("head", weights.head)):
        for index, dense in enumerate(dense_layers):
            yield dense_name(place, index, "kernel"), dense.kernel.T
            yield dense_name(place, index, "bias"), dense.bias
    for index, layer in enumerate(weights.layers):
        yield weight_name(index, "kernel"), layer.kernel.T
        yield weight_name(index, "recurrent_kernel"), layer.recurrent_kernel.T
        for row, bias in enumerate(np.atleast_2d(layer.bias)):
            yield weight_name(index, f"bias_{row}"), bias
    yield HEAD_KERNEL, weights.head_kernel.T
    yield HEAD_BIAS, weights.head_bias
