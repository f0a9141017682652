"""Sees to it that a file is exactly what its network's plans (contract/graph_plan.py) say.

An operator that is there besides, an option, a connection or a number that is another would change the sound in an
interpreter and in nobody else's reading of the file; so everything is compared.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.graph_plan import FREE, GraphPlan, Step
from neuralpedal.contract.manifest import FLOAT_SCHEMES
from neuralpedal.contract.signal_chain import DEQUANTIZE, foreign
from neuralpedal.contract.tflite_file import OperatorView, Subgraph, TfliteFile


def check_planned(file: TfliteFile, plans: Sequence[GraphPlan],
                  schemes: Sequence[str] = FLOAT_SCHEMES) -> list[Mapping[str, int]]:
    """Compare a file with the plans of its graphs; of every graph its tensors by the plan's names.

    Args:
        schemes: of which the plans are.

    Raises:
        ModelFileError: anything is otherwise than ``convert`` writes it.
    """
    manifest, graphs = file.manifest(), (file, *file.called)
    label = manifest.network.label
    if manifest.scheme not in schemes:
        raise foreign(file, f"scheme {manifest.scheme} with a {label}, wanted {' or '.join(schemes)}")
    if manifest.initial_state is not None:
        raise foreign(file, f"a {label} with an initial state, which such files do not have")
    if len(graphs) != len(plans):
        raise foreign(file, f"{len(graphs)} graphs; wanted {len(plans)} for {label}")
    return [_Comparison(file, graph, plan).tensors for graph, plan in zip(graphs, plans, strict=True)]


class _Comparison:
    """Goes through a graph and its plan at once. ``tensors``: what was found, by the plan's names."""

    def __init__(self, file: TfliteFile, graph: Subgraph, plan: GraphPlan) -> None:
        self._file, self._graph, self._plan = file, graph, plan
        self.tensors: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._bind_all(plan.inputs, graph.inputs, "the graph's inputs")
        operators = [operator for operator in graph.operators if operator.name != DEQUANTIZE]
        found, wanted = [operator.name for operator in operators], [step.operator for step in plan.steps]
        if found != wanted:
            raise foreign(file, f"operators {', '.join(found) or '(none)'}; wanted {', '.join(wanted)} for "
                                f"{file.manifest().network.label}")
        for operator, step in zip(operators, plan.steps, strict=True):
            self._compare(operator, step)
        self._bind_all(plan.outputs, graph.outputs, "the graph's outputs")
        self._check_tensors()

    def _compare(self, operator: OperatorView, step: Step) -> None:
        for name, value in step.options.items():
            if operator.options[name] != value:
                raise foreign(self._file, f"{operator.name} with {name} {operator.options[name]}; wanted {value}")
        self._bind_all(step.inputs, operator.inputs, f"a {operator.name}")
        self._bind_all(step.outputs, operator.outputs, f"a {operator.name}")

    def _bind_all(self, names: Sequence[str], indices: Sequence[int], where: str) -> None:
        if len(names) != len(indices):
            raise foreign(self._file, f"{where} with {len(indices)} tensors, not {len(names)}")
        for name, index in zip(names, indices, strict=True):
            if index < 0 or self.tensors.setdefault(name, index) != index or (
                    self._names.setdefault(index, name) != name):
                raise foreign(self._file, f"{where} that is connected otherwise than in our files")

    def _check_tensors(self) -> None:
        plan = self._plan
        for name, index in self.tensors.items():
            tensor = self._graph.tensors[index]
            if name in plan.constants:
                wanted = plan.constants[name]
                if tensor.data is None or tensor.dtype != wanted.dtype or not np.array_equal(tensor.data, wanted):
                    raise foreign(self._file, f"tensor {tensor.name!r} that does not hold {wanted.tolist()}")
            elif name in plan.weights:
                if tensor.shape != plan.weights[name]:
                    raise ModelFileError(f"{self._file.path}: its tensors contradict its manifest ({tensor.name!r} has "
                                         f"shape {list(tensor.shape)}, wanted {list(plan.weights[name])}); convert it "
                                         "again")
            elif (tensor.data is not None or tensor.is_variable != (name in plan.variables)
                  or tensor.dtype != plan.dtype(name) or not _fits(tensor.shape, plan.shapes[name])):
                raise foreign(self._file, f"tensor {tensor.name!r} of another kind or shape than in our files")


def _fits(found: Sequence[int], wanted: Sequence[int]) -> bool:
    return len(found) == len(wanted) and all(want in (FREE, size) for size, want in zip(found, wanted, strict=True))
